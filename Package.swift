// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// Set to leave out everything that needs SwiftNIO (the HTTP sink and the `sluice` command): sanitizer and fuzzer runs build in seconds that way.
let librariesOnly = Context.environment["SLUICE_LIBRARIES_ONLY"] == "1"

/// NATS's C client is there (Debian's libnats-dev): then `type: jetstream` works. `SLUICE_WITHOUT_NATS=1` leaves it out all the same.
let hasNATS =
  Context.environment["SLUICE_WITHOUT_NATS"] != "1" && FileManager.default.fileExists(atPath: "/usr/include/nats/nats.h")

/// Set to add the targets of `Tests/Fuzz`, which only `Tests/Fuzz/run.py` builds: each needs libFuzzer's `main`.
let fuzzing = Context.environment["SLUICE_FUZZ"] == "1"

let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

extension Target.Dependency {
  static let systemPackage = product(name: "SystemPackage", package: "swift-system")
  static let logging = product(name: "Logging", package: "swift-log")
  static let yams = product(name: "Yams", package: "Yams")
  static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
  static let nioCore = product(name: "NIOCore", package: "swift-nio")
  static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
  static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
  static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
  static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
  static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
  static let nioTLS = product(name: "NIOTLS", package: "swift-nio")
  static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
  static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
  static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
  static let serviceLifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
  static let httpTypesNIO = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
  static let nioHTTPCompression = product(name: "NIOHTTPCompression", package: "swift-nio-extras")
  static let crypto = product(name: "Crypto", package: "swift-crypto")
}

/// A component is one folder under Sources, one under Tests, and one line below. `testFiles` are not compiled: tests read them where they are.
func component(
  _ name: String, _ dependencies: [Target.Dependency] = [], tests: [Target.Dependency] = [], testFiles: [String] = [],
  linker: [LinkerSetting] = [], resources: [Resource] = []
) -> [Target] {
  [
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings, linkerSettings: linker),
    .testTarget(
      name: "\(name)Tests", dependencies: [.target(name: name), "TestSupport"] + dependencies + tests, exclude: testFiles,
      swiftSettings: swiftSettings),
  ]
}

var targets: [Target] = [
  // C shims: zlib is linked; ISA-L and PCRE2 are used when their headers are there at build time and their libraries at run time.
  .target(name: "CBlockCodec", linkerSettings: [.linkedLibrary("z"), .linkedLibrary("dl")]),
  .target(name: "CLinux"),
  .target(name: "CPatterns", linkerSettings: [.linkedLibrary("dl")]),
  .target(name: "TestSupport", dependencies: ["DurableFiles", .systemPackage], path: "Tests/TestSupport", swiftSettings: swiftSettings),
]
targets += component("DurableFiles", ["CLinux", .systemPackage])
targets += component("RecordBlocks", ["CBlockCodec"], testFiles: ["Golden"])
targets += component("SegmentQueue", ["RecordBlocks", "DurableFiles", "CLinux", .systemPackage])
targets += component("PipelineCore", ["RecordBlocks", "CLinux", .logging])
targets += component(
  "FileTailSource", ["PipelineCore", "RecordBlocks", "DurableFiles", "CLinux", "CPatterns", "CBlockCodec", .systemPackage, .logging])
targets += component("StandardInputSource", ["PipelineCore", "RecordBlocks", "CLinux", .logging])
targets += component("SyslogSource", ["PipelineCore", "RecordBlocks", "CLinux", .logging])
targets += component("FileSink", ["PipelineCore", "RecordBlocks", "DurableFiles", .systemPackage, .logging])
targets += component("PipelineConfiguration", ["PipelineCore", "CPatterns", .yams, .systemPackage])
targets += component(
  "PipelineRuntime", ["PipelineCore", "RecordBlocks", "SegmentQueue", "DurableFiles", "CLinux", .systemPackage, .logging])

if hasNATS {
  targets.append(.systemLibrary(name: "CNATS", providers: [.apt(["libnats-dev"])]))
  targets += component("JetStream", ["PipelineCore", "RecordBlocks", "CNATS", .logging])
}

if !librariesOnly {
  targets += component(
    "HTTPSink", ["PipelineCore", "RecordBlocks", .asyncHTTPClient, .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .logging],
    tests: ["CBlockCodec"])
  targets += component(
    "QueueServer",
    [
      "SegmentQueue", "RecordBlocks", "DurableFiles", "PipelineCore", "PipelineConfiguration", "PipelineRuntime", "CBlockCodec", "CLinux",
      .hummingbird,
      .hummingbirdCore, .httpTypes,
      .httpTypesNIO, .serviceLifecycle, .crypto, .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .nioTLS, .systemPackage, .logging,
    ], tests: [.asyncHTTPClient, .nioEmbedded, .nioHTTPCompression], resources: [.embedInCode("Page/assets")])
  targets += component(
    "QueueClient", ["CBlockCodec", .asyncHTTPClient, .nioCore, .nioPosix, .nioHTTP1, .nioSSL, .logging],
    tests: ["QueueServer", "SegmentQueue"])
  targets += [
    .executableTarget(
      name: "sluice",
      dependencies: [
        "RecordBlocks", "SegmentQueue", "DurableFiles", "PipelineCore", "FileTailSource", "StandardInputSource", "SyslogSource", "FileSink",
        "HTTPSink", "PipelineConfiguration", "PipelineRuntime", "QueueServer", "QueueClient", "CLinux", "CPatterns", .argumentParser,
        .crypto,
        .logging, .systemPackage,
      ] + (hasNATS ? ["JetStream"] : []), swiftSettings: swiftSettings + (hasNATS ? [.define("JETSTREAM")] : [])),
    .testTarget(
      name: "sluiceTests",
      dependencies: ["sluice", "QueueClient", "DurableFiles", "TestSupport", .argumentParser, .logging, .systemPackage],
      swiftSettings: swiftSettings),
  ]
}

/// A fuzz target is one folder under Tests/Fuzz: a Swift file and its corpus.
func fuzzTarget(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: "Tests/Fuzz/\(name)", exclude: ["corpus"], swiftSettings: swiftSettings)
}

if fuzzing {
  targets += [
    fuzzTarget("FuzzBlocks", ["RecordBlocks", "SegmentQueue", "DurableFiles", "CBlockCodec", .systemPackage]),
    fuzzTarget("FuzzCursors", ["RecordBlocks", "SegmentQueue", "DurableFiles", "CBlockCodec", "TestSupport", .systemPackage]),
    fuzzTarget("FuzzSyslog", ["RecordBlocks", "SyslogSource", "CLinux"]),
    fuzzTarget("FuzzPipelineFiles", ["PipelineConfiguration"]),
    fuzzTarget("FuzzGzip", ["FileTailSource", "CBlockCodec", "CLinux", .systemPackage]),
  ]
}

let package = Package(
  name: "sluice",
  products: [
    .library(name: "RecordBlocks", targets: ["RecordBlocks"]),
    .library(name: "SegmentQueue", targets: ["SegmentQueue"]),
  ]
    + (librariesOnly
      ? [] : [.library(name: "QueueClient", targets: ["QueueClient"]), .executable(name: "sluice", targets: ["sluice"])]),
  dependencies: [
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ]
    + (librariesOnly
      ? []
      : [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        // Named for their floor, too: before 2.100.0 an HTTP parser's headers were not bounded in all.
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.36.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
      ]),
  targets: targets,
  swiftLanguageModes: [.v6]
)
