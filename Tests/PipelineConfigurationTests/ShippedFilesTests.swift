import Foundation
import Testing

@testable import PipelineConfiguration

/// The repository's root, from this file's place in it.
private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

@Suite("What is shipped") struct ShippedFilesTests {
  private var files: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "pipelines").path).filter { $0.hasSuffix(".yaml") }.sorted()
        .map { root.appending(path: "pipelines/\($0)").path }
    }
  }

  @Test func `every pipeline loads, in an empty environment`() throws {
    let names = try files.map { try PipelineLoader(environment: [:], workingDirectory: root.path).load([$0])[0].queue.name }
    #expect(
      Set(names).isSuperset(of: [
        "quickstart", "app-logs", "syslog-hub", "stdin-to-http", "nightly-batch", "jetstream-edge", "jetstream-hub",
      ]))
    #expect(names == (try files.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }))
  }

  @Test func `all pipelines load together`() throws {
    #expect(try PipelineLoader(environment: [:]).load(files).count == files.count)
  }

  @Test func `every pipeline can be pointed at other files, addresses and collectors`() throws {
    let environment = [
      "SLUICE_LOGS": "fixtures/logs", "COLLECTOR_URL": "http://127.0.0.1:9/", "SYSLOG_LISTEN": "udp://127.0.0.1:15514", "BATCH_DIR": "out",
    ]
    let text = ResolvedPipelines.text(of: try PipelineLoader(environment: environment).load(files))
    for value in ["fixtures/logs/*.log", "http://127.0.0.1:9/", "udp://127.0.0.1:15514", "path: out/app-%Y-%m-%d.json.gz"] {
      #expect(text.contains(value), "\(value)")
    }
    #expect(!text.contains("/var/log/app") && !text.contains("collector.example"))
  }

  @Test func `the reference mentions every key, and has no example that doesn't load`() throws {
    let article = try String(contentsOf: root.appending(path: "Sources/sluice/Documentation.docc/PipelineFiles.md"), encoding: .utf8)
    for key in Schema.allKeys.sorted() { #expect(article.contains("`\(key)`"), "\(key)") }
    let words =
      QueueDefinition.Overflow.allCases.map(\.rawValue) + FileSourceDefinition.StartAt.allCases.map(\.rawValue)
      + FileSourceDefinition.Format.allCases.map(\.rawValue) + SourceDefinition.WhenFull.allCases.map(\.rawValue)
      + HTTPSinkDefinition.Format.allCases.map(\.rawValue) + HTTPSinkDefinition.Compression.allCases.map(\.rawValue)
      + HTTPSinkDefinition.OnReject.allCases.map(\.rawValue) + StartDefinition.allCases.map(\.rawValue) + Schema.sourceTypes
      + Schema.sinkTypes
    for word in words { #expect(article.contains("`\(word)`"), "\(word)") }
    let blocks = article.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    #expect(blocks.count >= 3)
    for block in blocks {
      let found = mistakes(block, environment: ["NAME": "name"], files: ["/run/secrets/token": "t"])
      #expect(found == [], "\(block)")
    }
  }

  @Test func `files are read from disk, and what can't be read is told`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-configuration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appending(path: "one.yaml").path
    try "sources: { in: { type: stdin } }".write(toFile: file, atomically: true, encoding: .utf8)
    #expect(mkfifo(directory.appending(path: "fifo.yaml").path, 0o600) == 0)
    let loader = PipelineLoader(environment: [:])
    #expect(try loader.load([file])[0].queue.name == "one")
    #expect(throws: ConfigurationErrors.self) { try loader.load([directory.path]) }
    for (path, reason) in [
      (directory.path, "it is a directory"), (directory.appending(path: "none.yaml").path, "No such file or directory"),
      (directory.appending(path: "fifo.yaml").path, "it is no regular file"), (file + "/x", "Not a directory"),
      ("a\0b", "the path holds a NUL byte"),
    ] {
      do throws(ConfigurationErrors) {
        _ = try loader.load([path])
        Issue.record("\(path) was read")
      } catch {
        #expect(error.description == "\(path.withoutControls): cannot read the file: \(reason)")
      }
    }
    #expect(throws: ReadFailure("it is larger than 10B")) { try PipelineLoader.readRegularFile(file, limit: 10) }
    #expect(PipelineLoader.currentDirectory().hasPrefix("/"))
  }

  @Test func `without PCRE2 multiline is refused with the package's name`() {
    var loader = TestFiles(["p.yaml": "sources: { a: { type: file, paths: [/a], format: json, multiline: { start: '^a' } } }"]).loader
    loader.checkPattern = { _ in Pattern.missing }
    do throws(ConfigurationErrors) {
      _ = try loader.load(["p.yaml"])
      Issue.record("it loaded")
    } catch {
      #expect(
        error.description
          == "p.yaml:1:76: sources.a.multiline.start: multiline needs PCRE2, which isn't there; install libpcre2-8-0 and, where Sluice is built, libpcre2-dev, and build it again"
      )
    }
  }
}
