internal import ArgumentParser
internal import CPatterns
internal import RecordBlocks

/// `sluice version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the version, the codec in use, and what else was found on this machine.")

  /// This release.
  static let version = "0.1.0"

  @OptionGroup var output: OutputOptions

  func run() throws {
    let codec = BlockCodec.shared
    let hasPatterns = pattern_available() == 1
    try output.print(
      .object([
        ("version", .string(Self.version)), ("codec", .string(codec.kind.rawValue)), ("codec_version", .string(codec.description)),
        ("pcre2", .bool(hasPatterns)), ("jetstream", .bool(hasJetStream)), ("swift", .string(Self.compiler)),
      ]),
      text: """
        sluice \(Self.version)
        codec  \(codec.description)\(Self.advice(codec))
        PCRE2  \(hasPatterns ? "yes" : "no (multiline needs it: install libpcre2-dev and build again)")
        NATS   \(hasJetStream ? "yes" : "no (type: jetstream needs it: install libnats-dev and build again)")
        Swift  \(Self.compiler)

        """)
  }

  private static func advice(_ codec: BlockCodec) -> String {
    if BlockCodec.zlibIsAskedFor { return " (SLUICE_CODEC=zlib asks for it)" }
    return codec.kind == .zlib ? " (with libisal-dev installed at build time, ISA-L is used: four to six times as fast)" : ""
  }

  /// The compiler that built this; only its minor version can be asked for.
  private static var compiler: String {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
