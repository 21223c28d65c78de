internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// The servers whose status is shown: the one that was named, or the processes of this machine that hold the queues.
struct TopServers {
  private let clients: [QueueClient]
  /// The only queue to show; nil for all.
  private let queue: String?
  /// For the head line.
  let address: String

  /// - Parameter name: a queue's name at the server that is named, else a queue's directory; nil for all queues of the server, or below
  ///   `data`.
  /// - Throws: who can't be found, with what to do.
  init(_ name: String?, _ connection: ConnectionOptions) async throws {
    if let address = connection.address, connection.server != nil || !(name?.contains("/") ?? false) {
      clients = [try connection.client(address, retry: Self.once)]
      (queue, self.address) = (name, address)
      return
    }
    if let name {
      guard let holder = try await QueueHolder.handle(ofQueueAt: name, retry: Self.once) else {
        throw CommandFailure(
          .failure, "no process with a socket holds the queue \(name); start it with 'sluice run', or name its server with --server URL")
      }
      (clients, queue, address) = ([holder.client], holder.queue, name)
      return
    }
    let directory = "data"
    let paths: [FilePath]
    do { paths = try QueueFiles.list(under: FilePath(directory)) } catch { throw CommandFailure(error) }
    var found: [QueueClient] = []
    // A process may hold several queues, and tells of all of them.
    var known: Set<String> = []
    for path in paths {
      guard let id = try? QueueFiles.open(path).id.description, !known.contains(id),
        let holder = try await QueueHolder.handle(ofQueueAt: path.string, retry: Self.once)
      else { continue }
      known.formUnion(try await holder.client.status().queues.map(\.queue.id))
      found.append(holder.client)
    }
    guard !found.isEmpty else {
      throw CommandFailure(
        .failure, "no process with a socket holds a queue below \(directory); name a server with --server URL, or a queue's directory")
    }
    (clients, queue, address) = (found, nil, directory)
  }

  /// The display says itself that a server doesn't answer, and asks again.
  private static let once = RetryPolicy(patience: .zero)

  /// The status of all of them as one.
  func status() async throws -> RemoteStatus {
    var whole = try await clients[0].status()
    for client in clients.dropFirst() { whole.queues += try await client.status().queues }
    whole.queues.sort { $0.queue.name < $1.queue.name }
    guard let queue else { return whole }
    let known = whole.queues.map(\.queue.name)
    whole.queues.removeAll { $0.queue.name != queue && $0.deadLettersOf != queue }
    guard !whole.queues.isEmpty else {
      throw CommandFailure(
        .usage,
        "\(address) shows no queue '\(queue)'" + (known.isEmpty ? ", nor any other" : "; it shows \(known.joined(separator: ", "))"))
    }
    return whole
  }
}
