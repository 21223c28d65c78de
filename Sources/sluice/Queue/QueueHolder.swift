internal import Glibc
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// The process that holds a queue's directory, by the Unix socket in it.
enum QueueHolder {
  /// The longest path that fits into a socket's address (`man 7 unix`), without the NUL behind it.
  private static let longestSocketPath = 107

  /// The queue at the process that holds its directory; nil when nobody holds it, or the holder has no socket.
  static func handle(ofQueueAt directory: String, retry: RetryPolicy) async throws(QueueClientError) -> RemoteQueueHandle? {
    guard let files = try? QueueFiles.open(FilePath(directory)), files.isHeld else { return nil }
    let socket = FilePath(directory).appending("server.sock").string
    var status = stat()
    guard stat(socket, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    var address = ServerAddress(unixSocket: Process.absolute(socket))
    if Process.absolute(socket).utf8.count > longestSocketPath {
      // The descriptor stays open for the command's life: the path leads through it.
      let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      address = ServerAddress(unixSocket: "/proc/self/fd/\(descriptor)/server.sock")
    }
    let holder = files.holder ?? "the process that holds \(directory)"
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
}
