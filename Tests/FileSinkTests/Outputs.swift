import Foundation
import SystemPackage
import TestSupport

/// Output files' names in the order in which their records were delivered: by name without the number, then by number.
func inOrder(_ names: [String]) -> [String] {
  func key(_ name: String) -> (String, Int) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let place = parts.indices.dropFirst().first(where: { parts[$0].count >= 4 && Int(parts[$0]) != nil }) else { return (name, 0) }
    let number = Int(parts.remove(at: place))!
    return (parts.joined(separator: "."), number)
  }
  return names.sorted { key($0) < key($1) }
}

/// Runs a program and returns what it printed; a test that needs one fails when it isn't there.
func run(_ program: String, _ arguments: [String]) throws -> [UInt8] {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: program)
  process.arguments = arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw ProgramFailure(program: program, status: process.terminationStatus) }
  return Array(data)
}

struct ProgramFailure: Error {
  let program: String
  let status: Int32
}

/// Decompresses many gzip files with one start of `zcat` each, but of one shell.
func zcat(_ files: [[UInt8]]) throws -> [[UInt8]] {
  let directory = TemporaryDirectory()
  for (index, bytes) in files.enumerated() { try Data(bytes).write(to: URL(fileURLWithPath: "\(directory.path)/\(index)")) }
  _ = try run("/bin/sh", ["-e", "-c", "cd '\(directory.path)'; for f in *; do zcat < $f > $f.out; done"])
  return try files.indices.map { try contents("\(directory.path)/\($0).out") }
}

func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }
func contents(_ path: FilePath) throws -> [UInt8] { try contents(path.string) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
