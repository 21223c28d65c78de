internal import QueueClient

/// What a pull needs of a server.
protocol PullServer: Sendable {
  func queue(_ name: String) async throws(QueueClientError) -> RemoteQueue
  func consumer(_ name: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer
  func createConsumer(_ name: String, of queue: String, startAt start: QueuePlace, hold: String?) async throws(QueueClientError)
    -> (consumer: RemoteConsumer, isNew: Bool)
  func pull(_ request: PullRequest) async throws(QueueClientError) -> PulledBatch
  func commit(_ offset: WireOffset, consumer: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer
}

extension QueueClient: PullServer {}
