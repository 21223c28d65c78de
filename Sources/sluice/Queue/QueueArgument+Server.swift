internal import Glibc
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

extension QueueArgument {
  /// The longest path that fits into a socket's address (`man 7 unix`), without the NUL behind it.
  private static let longestSocketPath = 107

  /// The queue at the server that `--server` or SLUICE_SERVER names; nil when QUEUE is a directory. With SLUICE_SERVER alone whatever has
  /// a slash in it is one.
  func atServer(retry: RetryPolicy = .brief) throws(QueueClientError) -> RemoteQueueHandle? {
    guard let address = connection.address, connection.server != nil || !queue.contains("/") else { return nil }
    return RemoteQueueHandle(client: try connection.client(address, retry: retry), queue: queue)
  }

  /// Where a change is asked for: at the server that was named, or at the process that holds the directory. Nil when the command has to
  /// hold the queue itself.
  func whoeverServes(retry: RetryPolicy = .brief) async throws(QueueClientError) -> RemoteQueueHandle? {
    if let named = try atServer(retry: retry) { return named }
    return try await atHolder(retry: retry)
  }

  /// The queue at the process that holds its directory, by its Unix socket; nil when nobody holds it, or the holder has no socket.
  private func atHolder(retry: RetryPolicy) async throws(QueueClientError) -> RemoteQueueHandle? {
    guard let files = try? QueueFiles.open(path), files.isHeld else { return nil }
    let socket = path.appending("server.sock").string
    var status = stat()
    guard stat(socket, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    var address = ServerAddress(unixSocket: Process.absolute(socket))
    if Process.absolute(socket).utf8.count > Self.longestSocketPath {
      // The descriptor stays open for the command's life: the path leads through it.
      let directory = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard directory >= 0 else { return nil }
      address = ServerAddress(unixSocket: "/proc/self/fd/\(directory)/server.sock")
    }
    let holder = files.holder ?? "the process that holds \(queue)"
    let configuration = QueueClient.Configuration(address: address.named("\(holder) (\(socket))"))
    // A socket that nobody listens at is no server to wait for.
    var retry = retry
    retry.includesFirstContact = false
    let client = try ConnectionOptions.client(configuration, retry: retry)
    let all: [RemoteQueue]
    do { all = try await client.queues() } catch {
      // The command says who holds the queue.
      guard error.code != .unreachable else { return nil }
      throw error
    }
    // The process may have several queues, and give this one a name that isn't its directory's.
    return all.first { $0.id == files.id.description }.map { RemoteQueueHandle(client: client, queue: $0.name) }
  }

  /// Refuses what only a directory's files can answer.
  func needsDirectory(for what: String) throws(CommandFailure) {
    guard connection.server != nil || (connection.address != nil && !queue.contains("/")) else { return }
    throw CommandFailure(
      .usage, "\(what) reads the queue's own files; run it on the server's machine and give the queue's directory, without --server")
  }
}
