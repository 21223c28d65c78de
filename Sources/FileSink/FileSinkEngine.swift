internal import DurableFiles
internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import SystemPackage

/// What ``FileSink`` does, for one caller at a time. Opening and changing files have extensions of their own.
final class FileSinkEngine {
  let configuration: FileSink.Configuration
  let codec = BlockCodec.shared
  let buffer = GatherBuffer()
  /// A line feed by itself, for a line that had none in its input.
  private lazy var lineFeed = OutputPiece("\n", compressed: configuration.path.isCompressed, codec: codec)
  let logger: Logger
  /// Loaded by `open`.
  var manifest: OutputManifest?
  /// The file being written; nil before the first one, and when the committed one can't be continued.
  var output: OutputFile?
  /// The name of the last file, whether it can be continued or not: names go on from there. Nil before the first file.
  var lastName: FileSinkState.Name?
  /// A change of file is due, for a record of this time. Until `sync` has made it nothing is delivered.
  var changeTime: Int64?
  /// Earlier files that must be no longer than this.
  var abandoned: [FileSinkState.AbandonedFile] = []
  /// Files whose sync failed while this process lived: they are written no more.
  var spoiled: [OutputLocation] = []
  /// Files may have become more than `maxFiles`: they are deleted once the new file's state is committed.
  var surplusIsDue = false
  private var isOpen = false
  /// It was open before in this process.
  private(set) var hasOpened = false
  /// The second for which the template was last compared, so that it isn't expanded for each block.
  private var comparedSecond: Int64?

  init(_ configuration: FileSink.Configuration) {
    self.configuration = configuration
    var logger = configuration.logger
    logger[metadataKey: "sink.name"] = "\(configuration.name)"
    self.logger = logger
  }

  var currentPath: FilePath? { output?.location.path }

  func open(_ start: SinkStart) throws(DeliveryError) {
    close()
    changeTime = nil
    comparedSecond = nil
    try prepare(start)
    surplusIsDue = true
    isOpen = true
    hasOpened = true
  }

  func close() {
    isOpen = false
    output = nil
  }

  func deliver(_ delivery: Delivery) throws(DeliveryError) -> Offset {
    try requireOpen()
    if changeTime != nil { return delivery.first }
    // A delivery after a change means that the change was committed: only now may files go that an earlier state could name.
    if surplusIsDue { removeSurplus() }
    if let output, try !closingOnError({ () throws(FileError) in try output.hasExpectedLength() }) {
      throw lost(output, "was cut or written to by someone else")
    }
    switch delivery.content {
    case .records(let slices): return try deliver(slices, of: delivery)
    case .gap(let gap): return try deliver(gap, of: delivery)
    }
  }

  func sync() throws(DeliveryError) -> SinkState {
    try requireOpen()
    if let output, output.isDirty {
      do throws(FileError) { try output.sync() } catch {
        spoil(output.location)
        close()
        throw DeliveryError(error)
      }
      if try !closingOnError({ () throws(FileError) in try output.isInPlace() ? output.hasExpectedLength() : false }) {
        throw lost(output, "was moved, removed or changed by someone else")
      }
    }
    if let time = changeTime {
      try changeFile(for: time)
      changeTime = nil
      surplusIsDue = true
    }
    return state.encode()
  }

  /// Does file work; an error closes the sink, so that the next `open` cuts off what may have been half done.
  func closingOnError<R>(_ body: () throws(FileError) -> R) throws(DeliveryError) -> R {
    do throws(FileError) { return try body() } catch {
      close()
      throw DeliveryError(error)
    }
  }

  /// Never write this file again in this process.
  func spoil(_ location: OutputLocation) {
    spoiled.append(location)
    // Each entry is a failed sync; the newest are the ones that a next file's name could meet.
    if spoiled.count > 256 { spoiled.removeFirst() }
  }

  private var state: FileSinkState {
    let file = output.map { output in
      FileSinkState.CommittedFile(
        device: output.device, inode: output.inode, length: output.length, withheld: output.withheld)
    }
    return FileSinkState(name: lastName, file: file, abandoned: abandoned)
  }

  private func requireOpen() throws(DeliveryError) {
    guard isOpen else {
      throw DeliveryError(.retry(after: nil), "the file sink '\(configuration.name)' is closed after an error; it must be opened again")
    }
  }

  /// The file is no longer what was written: closes the sink, so that `open` finds that out from the committed state and begins a new one.
  private func lost(_ output: OutputFile, _ what: String) -> DeliveryError {
    close()
    return DeliveryError(.retry(after: nil), "the output \(output.location.path) \(what); what isn't committed is written again")
  }

  // MARK: Delivering

  private func deliver(_ slices: [BlockSlice], of delivery: Delivery) throws(DeliveryError) -> Offset {
    var writer = output.map(PieceWriter.init)
    for (index, slice) in slices.enumerated() {
      let header = slice.block.header
      guard header.kind == .lines, header.lineByteCount > 0 else { continue }
      func stop() throws(DeliveryError) -> Offset {
        try closingOnError { () throws(FileError) in try writer?.finish() }
        return index == 0 ? delivery.first : slice.range.lowerBound
      }
      let continues = slice.firstContinues && output?.withheld == .unlessContinued(by: header.source)
      /// The next record goes into another file, so this one's last line must end here.
      func change() throws(DeliveryError) -> Offset {
        changeTime = header.firstTime
        if let output, output.withheld != .none, !continues {
          try closingOnError { () throws(FileError) in try writer!.append(lineFeed) }
          output.withheld = .none
        }
        return try stop()
      }
      guard let output, !output.isFinished else { return try change() }
      if !continues, isOtherName(header.firstTime, than: output) { return try change() }
      let piece: OutputPiece
      do throws(BlockDamage) { piece = try OutputPiece(slice, compressed: configuration.path.isCompressed, codec: codec) } catch {
        // What is before it is delivered first, so that the rejection is about this block alone.
        let offset = try stop()
        guard offset == delivery.first else { return offset }
        throw DeliveryError(
          .unreadable(slice.range),
          "records \(slice.range.lowerBound)..<\(slice.range.upperBound) can't be decompressed (\(error)); run 'sluice queue verify' on the queue"
        )
      }
      let endsLine = !continues && output.withheld != .none
      // A line feed that is withheld now may still be due in this file.
      let lineFeeds = (endsLine ? 1 : 0) + (slice.lastIsUnended ? 1 : 0)
      if !continues, exceeds(piece.byteCount + lineFeeds * lineFeed.byteCount, after: writer!.length) { return try change() }
      try closingOnError { () throws(FileError) in
        if endsLine { try writer!.append(lineFeed) }
        try writer!.append(piece)
      }
      output.withheld = slice.lastIsUnended ? .unlessContinued(by: header.source) : .none
    }
    try closingOnError { () throws(FileError) in try writer?.finish() }
    return delivery.next
  }

  private func deliver(_ gap: Gap, of delivery: Delivery) throws(DeliveryError) -> Offset {
    if configuration.writeGaps {
      let piece = OutputPiece(gap.line(for: delivery), compressed: configuration.path.isCompressed, codec: codec)
      let endsLine = output.map { $0.withheld != .none } ?? false
      let byteCount = piece.byteCount + (endsLine ? lineFeed.byteCount : 0)
      let fits = output.map { !$0.isFinished && !isOtherName(gap.firstTime, than: $0) && !exceeds(byteCount, after: $0.length) } ?? false
      if let output {
        try closingOnError { () throws(FileError) in
          var writer = PieceWriter(output)
          if endsLine { try writer.append(lineFeed) }
          if fits { try writer.append(piece) }
          try writer.finish()
        }
        output.withheld = .none
      }
      if !fits {
        changeTime = gap.firstTime
        return delivery.first
      }
    } else if let output, output.withheld != .none, gap.reason.tookRecordsFromTheLog {
      output.withheld = .always
    }
    return delivery.next
  }

  /// Whether the template gives a record of `time` another name than the file has. Never for an earlier time.
  private func isOtherName(_ time: Int64, than output: OutputFile) -> Bool {
    guard time > output.name.time else { return false }
    let second = time.flooredDivision(by: 1_000_000_000).0
    if second == comparedSecond { return false }
    if configuration.path.place(time: time, number: 0) != configuration.path.place(time: output.name.time, number: 0) { return true }
    comparedSecond = second
    return false
  }

  /// Whether so many bytes more would make the file too long. A file without anything in it takes them all the same, so there is always an
  /// end to changing files.
  private func exceeds(_ byteCount: Int, after length: Int64) -> Bool {
    guard let limit = configuration.rotateBytes, length > 0 else { return false }
    return UInt64(length) + UInt64(byteCount) > limit
  }
}

extension Gap.Reason {
  /// Whether records are missing that had offsets, so that a line on both sides of the gap may lack its middle. What never reached the
  /// queue (a dropped
  /// datagram) breaks no other source's line.
  var tookRecordsFromTheLog: Bool {
    switch self {
    case .dropOldest, .retention, .corruptBlock, .lostTail: true
    case .kernelDrop, .dropNewest, .dropped: false
    }
  }
}

extension DeliveryError {
  /// What a failed file operation means for delivery: full disks and input/output errors pass, rights and wrong kinds of files need
  /// someone.
  init(_ error: FileError) {
    switch error.code {
    case .permissionDenied, .notPermitted, .readOnlyFileSystem, .tooManySymbolicLinkLevels, .notDirectory, .isDirectory, .fileNameTooLong,
      .tooManyLinks, .invalidArgument:
      self.init(.waitForOperator, error.description)
    default: self.init(.retry(after: nil), error.description)
    }
  }
}
