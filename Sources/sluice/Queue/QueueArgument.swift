internal import ArgumentParser
internal import Glibc
internal import SegmentQueue
internal import SystemPackage

/// The queue that a command works on.
struct QueueArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The queue's directory, or its name at a server.", valueName: "QUEUE"), completion: .directory)
  var queue: String

  @OptionGroup var connection: ConnectionOptions

  var path: FilePath { FilePath(queue) }

  /// The queue's name: the last part of its directory's absolute path.
  var name: String { FilePath(Process.absolute(queue)).lexicallyNormalized().lastComponent?.string ?? queue }

  /// The queue's files, read without holding the queue: also while another process does.
  func files() throws(CommandFailure) -> QueueFiles {
    do { return try QueueFiles.open(path) } catch { throw explained(error) }
  }

  /// Opens the queue, which must be idle, for a command that changes it. Nothing is deleted because of limits: those are the pipeline
  /// file's to set.
  func hold(create: Bool = false, minFreeDisk: UInt64 = 0, for work: String) throws(CommandFailure) -> SegmentQueue {
    var options = QueueOptions()
    options.maxSize = 1 << 60
    options.segmentSize = 64 << 20
    options.minFreeDisk = minFreeDisk
    let ever = Duration.seconds(100 * 365 * 86_400)
    options.keep = ever
    options.consumerExpiry = ever
    do {
      return try SegmentQueue.open(path, name: name, options: options, create: create) { notice in
        guard notice.level != .info else { return }
        let facts = notice.metadata.map { " \(Escaping.word($0.key))=\(Escaping.word($0.value))" }.joined()
        DiagnosticOutput.shared.line("sluice: \(notice.message)\(facts)")
      }
    } catch {
      if error.code == .held {
        throw CommandFailure(.held, "\(error.description); '\(work)' needs the queue idle: stop that process first")
      }
      throw explained(error)
    }
  }

  private func explained(_ error: QueueError) -> CommandFailure {
    var status = stat()
    if stat(queue, &status) != 0, errno == ENOENT {
      return CommandFailure(.usage, "there is no directory \(queue); 'sluice queue list DIRECTORY' shows the queues below a directory")
    }
    return CommandFailure(error)
  }
}
