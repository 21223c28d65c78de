internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// One request and its answer, within a deadline and with a bounded part of the answer read.
struct Exchange {
  /// How it ended.
  enum Outcome {
    /// There is a status to judge by: of an answer that came whole after the whole body was sent, or of one that isn't a success anyway.
    case answered(Answer)
    /// A success was announced, but the rest of the answer didn't come, or didn't wait for the body: what became of the records is unknown.
    case unproven(Answer, any Error)
    /// No answer.
    case failed(any Error)
    /// Our own task was cancelled first.
    case cancelled
  }

  /// How the exchange ended.
  let outcome: Outcome
  /// The connection may still hold unsent bytes of the body: nothing must be sent on it again.
  let spoilsConnection: Bool

  /// Sends `request` and reads the answer. Suspends at most until `deadline`; cancelling the task ends it at once.
  static func run(
    _ request: HTTPClient.Request, with client: HTTPClient, on eventLoop: any EventLoop, deadline: NIODeadline, keptBytes: Int,
    maximumBytes: Int
  ) async -> Exchange {
    let reader = AnswerReader(keptBytes: keptBytes, maximumBytes: maximumBytes)
    // No logger: the client would log headers, and so secrets.
    let task = client.execute(request: request, delegate: reader, eventLoop: .delegate(on: eventLoop), deadline: deadline)
    var failure: (any Error)?
    do {
      try await withTaskCancellationHandler {
        try await task.get()
      } onCancel: {
        task.cancel()
      }
    } catch {
      failure = error
    }
    var isSent = reader.isBodySent
    guard let answer = reader.answer else {
      if Task.isCancelled { return Exchange(outcome: .cancelled, spoilsConnection: false) }
      return Exchange(outcome: .failed(failure ?? HTTPClientError.remoteConnectionClosed), spoilsConnection: false)
    }
    guard answer.isSuccess else { return Exchange(outcome: .answered(answer), spoilsConnection: !isSent) }
    if !isSent, failure == nil {
      // A success that is told before the body has left us can still be meant; it counts once the rest has left.
      await reader.bodySent(orAt: deadline, on: eventLoop)
      isSent = reader.isBodySent
    }
    if Task.isCancelled, !isSent || failure != nil { return Exchange(outcome: .cancelled, spoilsConnection: true) }
    if !isSent { return Exchange(outcome: .unproven(answer, failure ?? AnsweredBeforeBody()), spoilsConnection: true) }
    // An answer that was cut here for its length may end as a cancelled request or a closed connection: what was read decides.
    let wasTooLong = failure is AnswerTooLong || answer.bodyByteCount > maximumBytes
    if let failure, !wasTooLong { return Exchange(outcome: .unproven(answer, failure), spoilsConnection: false) }
    return Exchange(outcome: .answered(answer), spoilsConnection: false)
  }
}

/// What a destination said.
struct Answer: Sendable {
  /// The status code.
  let status: Int
  /// Its header fields.
  let headers: HTTPHeaders
  /// The first bytes of its body.
  var body: [UInt8] = []
  /// How many bytes of the body were read.
  var bodyByteCount = 0

  /// 2xx.
  var isSuccess: Bool { (200..<300).contains(status) }
}

/// The answer's body is longer than we read.
struct AnswerTooLong: Error {}

/// The destination announced success and then did not take the rest of the body.
struct AnsweredBeforeBody: Error {}

/// Collects one answer; called on the client's event loop, asked from the sink's thread.
private final class AnswerReader: HTTPClientResponseDelegate {
  typealias Response = Void

  private struct State {
    var answer: Answer?
    var isBodySent = false
  }

  private let keptBytes: Int
  private let maximumBytes: Int
  private let state = Mutex(State())
  /// Ends when the body is sent, or when waiting for that ends.
  private let sending: (stream: AsyncStream<Never>, continuation: AsyncStream<Never>.Continuation) = AsyncStream<Never>.makeStream()

  init(keptBytes: Int, maximumBytes: Int) {
    self.keptBytes = keptBytes
    self.maximumBytes = maximumBytes
  }

  var answer: Answer? { state.withLock { $0.answer } }
  /// Whether the kernel has the whole body.
  var isBodySent: Bool { state.withLock { $0.isBodySent } }

  /// Waits until the body is sent, at most until `deadline` or cancellation.
  func bodySent(orAt deadline: NIODeadline, on eventLoop: any EventLoop) async {
    let timer = eventLoop.scheduleTask(deadline: deadline) { [sending] in sending.continuation.finish() }
    for await _ in sending.stream {}
    timer.cancel()
  }

  func didSendRequest(task: HTTPClient.Task<Void>) {
    state.withLock { $0.isBodySent = true }
    sending.continuation.finish()
  }

  func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
    state.withLock { $0.answer = Answer(status: Int(head.status.code), headers: head.headers) }
    return task.eventLoop.makeSucceededVoidFuture()
  }

  func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
    let count = state.withLock { state in
      guard var answer = state.answer.take() else { return 0 }
      let room = keptBytes - answer.body.count
      if room > 0 { answer.body.append(contentsOf: buffer.readableBytesView.prefix(room)) }
      answer.bodyByteCount += buffer.readableBytes
      state.answer = answer
      return answer.bodyByteCount
    }
    return count > maximumBytes ? task.eventLoop.makeFailedFuture(AnswerTooLong()) : task.eventLoop.makeSucceededVoidFuture()
  }

  func didFinishRequest(task: HTTPClient.Task<Void>) {}
}
