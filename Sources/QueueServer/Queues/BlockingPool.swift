internal import NIOPosix

/// The threads on which the server reads and writes files: a few, so that what they hold in memory at once is bounded, too.
final class BlockingPool: Sendable {
  private let pool: NIOThreadPool

  init(threads: Int) {
    pool = NIOThreadPool(numberOfThreads: threads)
    pool.start()
  }

  /// Runs `body` on one of the threads.
  func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    do { return try await pool.runIfActive(body) } catch is NIOThreadPoolError.ThreadPoolInactive {
      throw Problem.stopping
    } catch is CancellationError {
      throw Problem.stopping
    }
  }

  func shutDown() async { try? await pool.shutdownGracefully() }
}
