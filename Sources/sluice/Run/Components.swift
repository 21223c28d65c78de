internal import DurableFiles
internal import FileSink
internal import FileTailSource
internal import HTTPSink
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import QueueServer
internal import SegmentQueue
internal import StandardInputSource
internal import SyslogSource
internal import SystemPackage

/// Every source and sink that there is, by its `type` in a pipeline file: the only place that knows both their definitions and their code.
enum Components {
  static let sources = Registry([fileTail, syslog, standardInput, jetStreamSource])
  static let sinks = Registry([file, http, standardOutput, jetStreamSink])
}

/// What a source is made from.
struct SourceContext {
  var definition: SourceDefinition
  /// Take tailed files as ended at their present end.
  var once: Bool
  /// The most files that a source may keep open: its share of what the process may have.
  var mostOpenFiles: Int
  var logger: Logger
}

/// A kind of source. Making one opens no file, but binds sockets: a port in use must be an error before anything runs.
struct SourceComponent: Component {
  let type: String
  let make: @Sendable (SourceContext) throws -> MadeSource
}

/// A source, and what it tells of itself beside what all sources do.
struct MadeSource {
  var source: any Source
  /// The files that it reads; nil where it reads none.
  var files: (@Sendable () -> SourceFacts.Files)?
}

/// What a sink is made from.
struct SinkContext {
  var definition: SinkDefinition
  /// What a reader of standard output that goes away leads to.
  var onReaderGone: @Sendable () -> Void
  var logger: Logger
}

/// A kind of sink. `check` opens nothing, so all sinks are checked before the first queue is opened; what it returns makes the sink for
/// the open queue.
struct SinkComponent: Component {
  let type: String
  let check: @Sendable (SinkContext) throws -> (SegmentQueue) -> SinkPlan
}

// MARK: Sources

private let fileTail = SourceComponent(type: "file") { context in
  guard case .file(let file) = context.definition.kind else { throw Mismatch() }
  var configuration = FileTailSource.Configuration(name: context.definition.name, paths: file.paths, logger: context.logger)
  configuration.exclude = file.exclude
  configuration.startAt = file.startAt == .beginning ? .beginning : .end
  configuration.format = file.format == .raw ? .raw : .json
  configuration.maxLineBytes = file.maxLineBytes
  configuration.multiline = file.multiline.map { FileTailSource.Configuration.Multiline(start: $0.start, timeout: $0.timeout) }
  configuration.idleFlush = file.idleFlush
  configuration.maxOpenFiles = min(file.maxOpenFiles, context.mostOpenFiles)
  if file.maxOpenFiles > context.mostOpenFiles {
    context.logger.notice(
      "fewer files are kept open than max_open_files allows, so that queues and sinks have descriptors too; to have more, raise the process's limit (ulimit -n, or LimitNOFILE of its unit)",
      metadata: [
        "source.name": "\(context.definition.name)", "max_open_files": "\(file.maxOpenFiles)", "kept_open": "\(context.mostOpenFiles)",
        "descriptor_limit": "\(Process.fileLimit)",
      ])
  }
  configuration.rescanInterval = file.rescan
  configuration.once = context.once
  let source = try FileTailSource(configuration)
  return MadeSource(source: source) { SourceFacts.Files(source.files(limit: SourceFacts.Files.most)) }
}

private let syslog = SourceComponent(type: "syslog") { context in
  guard case .syslog(let syslog) = context.definition.kind else { throw Mismatch() }
  let source = SyslogSource(
    SyslogSource.Configuration(
      name: context.definition.name, listen: SyslogSource.Address(host: syslog.listen.host, port: syslog.listen.port),
      format: syslog.format == .json ? .json : .raw, receiveBufferBytes: syslog.receiveBufferBytes,
      utcOffsetMinutes: syslog.utcOffsetMinutes,
      logger: context.logger))
  do throws(SyslogSourceError) { try source.bind() } catch {
    throw CommandFailure(error.code == .invalidAddress ? .usage : .failure, error.description)
  }
  return MadeSource(source: source)
}

private let standardInput = SourceComponent(type: "stdin") { context in
  guard case .standardInput(let input) = context.definition.kind else { throw Mismatch() }
  return MadeSource(
    source: StandardInputSource(
      StandardInputSource.Configuration(name: context.definition.name, maxLineBytes: input.maxLineBytes, logger: context.logger)))
}

// MARK: Sinks

private let file = SinkComponent(type: "file") { context in
  guard case .file(let file) = context.definition.kind else { throw Mismatch() }
  // Absolute, so that a sink started from another directory doesn't take its files for another's.
  let path = try PathTemplate(Process.absolute(file.path), timezone: file.timezone)
  let (definition, logger) = (context.definition, context.logger)
  return { queue in
    let sink = FileSink(
      FileSink.Configuration(
        name: definition.name, path: path, rotateBytes: file.rotateBytes.map { UInt64($0) }, maxFiles: file.maxFiles,
        writeGaps: file.writesGaps, stateDirectory: queue.consumersDirectory, logger: logger))
    var plan = SinkPlan(name: definition.name, sink: sink, of: definition)
    plan.readsLinesAhead = !path.isCompressed
    return plan
  }
}

private let http = SinkComponent(type: "http") { context in
  guard case .http(let http) = context.definition.kind else { throw Mismatch() }
  var configuration = HTTPSink.Configuration(url: http.url.value)
  configuration.shownURL = http.shownURL
  configuration.format = http.format == .lines ? .lines : .jsonArray
  configuration.compression = http.compression == .gzip ? .gzip : .none
  configuration.headers = http.headers.map { HTTPSink.Configuration.Header($0.name, $0.value.value) }
  configuration.timeout = http.timeout
  configuration.connectTimeout = http.connectTimeout
  configuration.certificateAuthorityPath = http.certificateAuthorityFile
  configuration.userAgent = "sluice/\(VersionCommand.version)"
  let definition = context.definition
  let sink = try HTTPSink(configuration, name: definition.name, logger: context.logger)
  return { _ in
    var plan = SinkPlan(name: definition.name, sink: sink, of: definition)
    plan.batch = BatchPolicy(maxRecords: http.batch.maxRecords, maxBytes: http.batch.maxBytes, linger: http.batch.linger)
    plan.retry = RetryPolicy(initial: http.retry.initial, max: http.retry.max, attempts: http.retry.attempts)
    switch http.onReject {
    case .deadLetter: plan.onReject = .deadLetter
    case .wait: plan.onReject = .wait
    case .drop: plan.onReject = .drop
    }
    // Only stored blocks that travel as they are need no inflating.
    plan.readsLinesAhead = !(http.format == .lines && http.compression == .gzip)
    return plan
  }
}

private let standardOutput = SinkComponent(type: "stdout") { context in
  guard case .standardOutput(let writesGaps) = context.definition.kind else { throw Mismatch() }
  let (definition, onReaderGone) = (context.definition, context.onReaderGone)
  return { _ in
    var plan = SinkPlan(name: definition.name, sink: StandardOutputSink(writeGaps: writesGaps, onReaderGone: onReaderGone), of: definition)
    plan.readsLinesAhead = true
    // Someone watches: the cursor goes along, in steps that a crash may repeat.
    plan.batch = BatchPolicy(maxBytes: 1 << 20)
    return plan
  }
}

/// A definition went to the component of another kind.
struct Mismatch: Error, CustomStringConvertible {
  var description: String { preconditionFailure("a definition's kind and its type name disagree") }
}

extension SinkPlan {
  /// What all sinks have in common.
  init(name: String, sink: any Sink, of definition: SinkDefinition) {
    self.init(name: name, sink: sink)
    startAt = StartAt(definition.startAt)
    hold = Hold(definition.hold)
    pull = PullPace(
      every: definition.pull.every, bytesPerSecond: definition.pull.bytesPerSecond.map { UInt64($0) },
      window: definition.pull.window.map { LocalWindow($0, timezone: definition.pull.timezone) })
  }
}
