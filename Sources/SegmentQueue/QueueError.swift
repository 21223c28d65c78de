public import DurableFiles
internal import SystemPackage

/// Why a queue can't do what it was asked: code for programs, a sentence with place and remedy for people.
public struct QueueError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Code: Sendable, Hashable {
    /// Another process has the queue open.
    case held
    /// The directory isn't a queue.
    case notAQueue
    /// Written by a newer version, which this one must not interpret.
    case newerFormat
    /// Files that contradict each other; nothing was changed.
    case damaged
    /// No room, and the writer's records were dropped.
    case full
    /// Other records were written under this key.
    case keyConflict
    /// Closed, by `close()` or for good by an error.
    case closed
    /// No consumer of that name.
    case unknownConsumer
    /// No sealed segment of that name.
    case unknownSegment
    /// An offset outside of what is allowed there.
    case invalidOffset
    /// Calls for a cursor to a consumer of leases, or the other way round.
    case wrongMode
    /// The range isn't on loan under that lease any more: it ran out and the range was given again, or the consumer was set to another place.
    case leaseLost
    /// The operating system said no.
    case io
    /// A network file system, and it wasn't allowed.
    case networkFileSystem
    /// Both slots of a consumer's file are unreadable.
    case cursorUnreadable
    /// A name that isn't allowed, or one that is taken by another kind of consumer.
    case invalidName
  }

  /// See ``Code``.
  public let code: Code
  /// What happened, where, and what to do.
  public let description: String

  /// An error with its sentence.
  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  /// A failed file operation.
  public init(_ error: FileError) { self.init(.io, error.description) }

  init(newerBlockIn path: FilePath, at position: Int64) {
    self.init(
      .newerFormat,
      "\(path) has a block at position \(position) that a newer version of Sluice wrote; use that version or a newer one. Nothing was changed"
    )
  }

  init(noQueueAt path: FilePath) {
    self.init(.notAQueue, "there is no queue at \(path); 'sluice queue list' shows those there are")
  }
}

/// Something that a queue's user should hear of. The library logs nothing itself.
public struct QueueNotice: Sendable {
  /// How much it matters.
  public enum Level: Sendable, Hashable { case info, notice, warning, error }
  /// How much it matters.
  public let level: Level
  /// A constant sentence.
  public let message: String
  /// Its facts, by name.
  public let metadata: [(key: String, value: String)]

  init(_ level: Level, _ message: String, _ metadata: (key: String, value: String)...) {
    self.init(level, message, metadata: metadata)
  }

  init(_ level: Level, _ message: String, metadata: [(key: String, value: String)]) {
    self.level = level
    self.message = message
    self.metadata = metadata
  }
}

/// Runs file work and turns its error into a ``QueueError``.
func asQueueError<R>(_ body: () throws(FileError) -> R) throws(QueueError) -> R {
  do { return try body() } catch { throw QueueError(error) }
}

/// The same for work that may refuse with a ``QueueError`` of its own.
func unifyingErrors<R>(_ body: () throws -> R) throws(QueueError) -> R {
  do { return try body() } catch let error as QueueError {
    throw error
  } catch let error as FileError {
    throw QueueError(error)
  } catch {
    preconditionFailure("file work throws file errors and queue errors only, not \(error)")
  }
}
