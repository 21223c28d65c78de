/// One file's bytes, twice: as the page cache has them and as the disk has them, and the changes between the two.
struct SimulatedFileContent: Sendable {
  /// The unit that a disk writes as a whole, or garbles as a whole.
  static let sectorByteCount = 512
  /// Longer files are refused (`EFBIG`); a wild position must not eat the machine's memory.
  static let maximumByteCount = 1 << 30

  enum Change: Sendable {
    case write(position: Int, bytes: [UInt8])
    case truncate(size: Int)
  }

  /// What reads see.
  private(set) var cached: [UInt8] = []
  /// What a power cut leaves for sure.
  private(set) var durable: [UInt8] = []
  /// Changes since the last sync that succeeded, in order. A failed sync marks them as dropped: no later sync writes them.
  private var pending: [(change: Change, isDropped: Bool)] = []

  /// Whether a sync has failed since the process began: another one may succeed and means nothing.
  private(set) var syncHasFailed = false

  /// A file that was durable before the simulation began.
  init(durable bytes: [UInt8] = []) {
    cached = bytes
    durable = bytes
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer, at position: Int) {
    guard !bytes.isEmpty else { return }
    let copy = Array(bytes)
    Self.apply(position, copy, to: &cached)
    pending.append((.write(position: position, bytes: copy), false))
  }

  mutating func truncate(to size: Int) {
    Self.resize(&cached, to: size)
    pending.append((.truncate(size: size), false))
  }

  mutating func sync() {
    for (change, isDropped) in pending where !isDropped { Self.apply(change, to: &durable) }
    pending = []
  }

  mutating func failSync() {
    syncHasFailed = true
    for index in pending.indices { pending[index].isDropped = true }
  }

  /// Another process has the file now, which knows of no failure.
  mutating func forgetFailedSync() { syncHasFailed = false }

  /// The kernel lets go of clean pages: what a failed sync dropped is no longer to be read.
  mutating func evictCleanPages() {
    cached = durable
    for (change, isDropped) in pending where !isDropped { Self.apply(change, to: &cached) }
  }

  /// Bytes changed from outside, on the disk and in the cache.
  mutating func overwrite(_ bytes: [UInt8], at position: Int) {
    Self.apply(position, bytes, to: &cached)
    Self.apply(position, bytes, to: &durable)
  }

  /// What stands on the disk after a power cut.
  func survivor(_ kind: CrashKind, _ random: inout SplitMix64) -> [UInt8] {
    switch kind {
    case .everythingKept, .namesLost: return cached
    case .unsyncedLost, .bytesLost: return durable
    case .lastTorn, .lastGarbled:
      guard case (.write(let position, let bytes), _)? = pending.last else { return cached }
      var image = durable
      for (change, _) in pending.dropLast() { Self.apply(change, to: &image) }
      if kind == .lastTorn {
        Self.tear(position, bytes, &image, &random)
      } else {
        Self.apply(position, bytes, to: &image)
        Self.garble(position..<position + bytes.count, &image, &random)
      }
      return image
    case .mixture, .mixtureDamagingSharedSectors:
      var image = durable
      // Independent fates for many writes hardly ever give the plain cases, so those have seeds of their own.
      let style = random.int(0..<4)
      let survivors = style == 1 ? random.int(0...pending.count) : pending.count
      for (index, (change, _)) in pending.prefix(survivors).enumerated() {
        if style == 0 || (style == 1 && index < survivors - 1) {
          Self.apply(change, to: &image)
        } else {
          Self.maul(change, &image, damagesSharedSectors: kind == .mixtureDamagingSharedSectors, &random)
        }
      }
      return image
    }
  }

  /// The sectors that a range of bytes touches.
  private static func sectors(_ bytes: Range<Int>) -> Range<Int> {
    bytes.lowerBound / sectorByteCount..<(bytes.upperBound + sectorByteCount - 1) / sectorByteCount
  }

  /// A beginning of a write, cut at a boundary between two sectors.
  private static func tear(_ position: Int, _ bytes: [UInt8], _ image: inout [UInt8], _ random: inout SplitMix64) {
    let sectors = sectors(position..<position + bytes.count)
    let end = max(position, random.int(sectors) * sectorByteCount)
    apply(position, Array(bytes[..<min(bytes.count, end - position)]), to: &image)
  }

  /// Noise in at least one of a write's sectors, as far as the write reaches.
  private static func garble(_ range: Range<Int>, _ image: inout [UInt8], _ random: inout SplitMix64) {
    let sectors = sectors(range)
    let certain = random.int(sectors)
    for sector in sectors where sector == certain || random.chance(1, in: 4) {
      let part = max(range.lowerBound, sector * sectorByteCount)..<min(range.upperBound, (sector + 1) * sectorByteCount)
      apply(part.lowerBound, random.bytes(part.count), to: &image)
    }
  }

  private static func maul(_ change: Change, _ image: inout [UInt8], damagesSharedSectors: Bool, _ random: inout SplitMix64) {
    guard case .write(let position, let bytes) = change else {
      if random.chance(1, in: 2) { apply(change, to: &image) }
      return
    }
    // File systems that write the length before the data leave zeros where a lost write would have been.
    let lengthStays = random.chance(1, in: 2)
    if lengthStays, image.count < position + bytes.count { resize(&image, to: position + bytes.count) }
    let sectors = sectors(position..<position + bytes.count)
    let fate = random.int(0..<8)
    switch fate {
    case 0...1: apply(change, to: &image)
    case 2...3: break
    default:
      // 4: a beginning is there; 5: an end; 6: some sectors; 7: some sectors, noise in the others.
      let boundary = random.int(sectors.lowerBound...sectors.upperBound)
      for sector in sectors {
        let isKept = fate == 4 ? sector < boundary : fate == 5 ? sector >= boundary : random.chance(1, in: 2)
        let part = max(position, sector * sectorByteCount)..<min(position + bytes.count, (sector + 1) * sectorByteCount)
        if isKept {
          apply(part.lowerBound, Array(bytes[part.lowerBound - position..<part.upperBound - position]), to: &image)
        } else if fate == 7 {
          let end = min((sector + 1) * sectorByteCount, max(image.count, part.upperBound))
          let hit = damagesSharedSectors ? sector * sectorByteCount..<end : part
          apply(hit.lowerBound, random.bytes(hit.count), to: &image)
        }
      }
    }
  }

  private static func apply(_ change: Change, to bytes: inout [UInt8]) {
    switch change {
    case .write(let position, let written): apply(position, written, to: &bytes)
    case .truncate(let size): resize(&bytes, to: size)
    }
  }

  private static func apply(_ position: Int, _ written: [UInt8], to bytes: inout [UInt8]) {
    if position == bytes.count {
      bytes.append(contentsOf: written)
      return
    }
    if bytes.count < position + written.count { resize(&bytes, to: position + written.count) }
    bytes.withUnsafeMutableBytes { target in
      written.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[position...]).copyMemory(from: $0) }
    }
  }

  private static func resize(_ bytes: inout [UInt8], to size: Int) {
    if size < bytes.count {
      bytes.removeLast(bytes.count - size)
    } else {
      bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
    }
  }
}
