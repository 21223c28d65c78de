// A pipeline file from anyone: a definition, or mistakes that each say where.

@testable import PipelineConfiguration

private let environment = ["NAME": "value", "HOME": "/root", "EMPTY": "", "TOKEN": "s3cr3t: {x"]

/// The input is the file.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do throws(ConfigurationErrors) {
    guard let pipeline = try load(bytes).first else { preconditionFailure("neither a definition nor a mistake") }
    checkPrinted(pipeline)
  } catch {
    check(error, bytes)
  }
  return 0
}

private func load(_ bytes: [UInt8]) throws(ConfigurationErrors) -> [PipelineDefinition] {
  let loader = PipelineLoader(environment: environment, workingDirectory: "/w") { path, limit throws(ReadFailure) in
    if path == "p.yaml" { return Array(bytes.prefix(limit)) }
    if path.hasSuffix("secret") { return Array("text of a file\n".utf8) }
    throw ReadFailure("No such file or directory")
  }
  return try loader.load(["p.yaml"])
}

private func check(_ errors: ConfigurationErrors, _ bytes: [UInt8]) {
  precondition(!errors.errors.isEmpty && errors.errors.count <= 102, "no mistake, or far too many")
  let breaks = Set("\n\r\u{85}\u{2028}\u{2029}".unicodeScalars)
  let lines = String(decoding: bytes, as: UTF8.self).unicodeScalars.count { breaks.contains($0) } + 1
  for error in errors.errors {
    precondition(error.file == "p.yaml" && !error.message.isEmpty, "a mistake without a file or a message")
    let isWhole = error.line == 0 && error.column == 0
    precondition(isWhole || (error.line >= 1 && error.line <= lines + 1 && error.column >= 1), "a mistake is nowhere in the file")
    precondition(!isWhole || error.message.hasSuffix("is it a pipeline file?"), "a mistake without a place")
    precondition(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "a message with control characters")
  }
}

/// What is printed of a definition loads again to the same, but for secrets.
private func checkPrinted(_ pipeline: PipelineDefinition) {
  let text = ResolvedPipelines.text(of: [pipeline])
  precondition(!text.contains("s3cr3t"), "a secret is printed")
  guard !text.contains("<redacted>"), !text.contains("${") else { return }
  guard let again = try? load(Array(text.utf8)).first else { preconditionFailure("what was printed doesn't load: \(text)") }
  precondition(again == pipeline, "what was printed is another pipeline: \(text)")
}
