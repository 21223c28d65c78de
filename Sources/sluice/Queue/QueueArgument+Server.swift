internal import QueueClient

extension QueueArgument {
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
    return try await QueueHolder.handle(ofQueueAt: queue, retry: retry)
  }

  /// Refuses what only a directory's files can answer.
  func needsDirectory(for what: String) throws(CommandFailure) {
    guard connection.server != nil || (connection.address != nil && !queue.contains("/")) else { return }
    throw CommandFailure(
      .usage, "\(what) reads the queue's own files; run it on the server's machine and give the queue's directory, without --server")
  }
}
