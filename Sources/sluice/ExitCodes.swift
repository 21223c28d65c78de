internal import SegmentQueue

/// What the command's exit code means. This is the only list of them; `sluice --help` prints it.
enum ExitCode: Int32, CaseIterable {
  case success = 0
  case failure = 1
  case usage = 2
  case leftOver = 3
  case held = 4
  case damaged = 5

  /// The sentence that `--help` prints.
  var meaning: String {
    switch self {
    case .success: "done; with --drain: everything was delivered"
    case .failure: "failed while running: disk, network, a program that was started; the message says which"
    case .usage: "the command line or a pipeline file is wrong; nothing was opened"
    case .leftOver: "stopped before --once or --drain was finished; what is left is in the queue, and the next run goes on with it"
    case .held: "the queue is held by another process, which the message names"
    case .damaged: "damage was found in a queue; the message says where"
    }
  }

  /// The table of all codes, as it stands under every `--help`.
  static var table: String {
    "EXIT CODES:\n" + allCases.map { "  \($0.rawValue)   \($0.meaning)" }.joined(separator: "\n")
  }

  /// The code for an error of the queue.
  init(_ code: QueueError.Code) {
    switch code {
    case .held: self = .held
    case .damaged, .cursorUnreadable: self = .damaged
    case .unknownConsumer, .unknownSegment, .invalidOffset, .invalidName, .wrongMode: self = .usage
    case .notAQueue, .newerFormat, .full, .keyConflict, .closed, .io, .networkFileSystem, .leaseLost: self = .failure
    }
  }
}

/// An error that ends the command: its exit code and the sentence that the user reads.
struct CommandFailure: Error, CustomStringConvertible {
  let code: ExitCode
  /// Of several lines only where each is given by itself: a line feed in a name must not begin a line that seems to be ours.
  let lines: [String]
  var message: String { lines.joined(separator: "\n") }
  /// For whoever logs it, unlike those who print its lines.
  var description: String { lines.joined(separator: "; ") }

  init(_ code: ExitCode, _ message: String) { self.init(code, lines: message.isEmpty ? [] : [message]) }

  init(_ code: ExitCode, lines: [String]) {
    self.code = code
    self.lines = lines
  }

  init(_ error: QueueError) { self.init(ExitCode(error.code), error.description) }
}
