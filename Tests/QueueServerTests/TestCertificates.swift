import Foundation
import TestSupport
import Testing

/// Certificates made by `openssl` for one test run: an authority, `server` for localhost, and `client`.
struct TestCertificates {
  let directory = TemporaryDirectory()

  init() throws {
    try openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test-CA -keyout ca.key -out ca.pem")
    try make("server")
    try make("client")
  }

  func path(_ name: String) -> String { "\(directory.path)/\(name)" }

  /// Makes NAME.pem and NAME.key.
  func make(_ name: String) throws {
    try Data("subjectAltName=DNS:localhost,IP:127.0.0.1\n".utf8).write(to: URL(fileURLWithPath: path("ext")))
    try openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) -keyout \(name).key -out \(name).csr")
    try openssl("x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out \(name).pem")
  }

  /// Puts one file in the place of another, as a whole.
  func replace(_ name: String, with other: String) throws {
    try Data(contentsOf: URL(fileURLWithPath: path(other))).write(to: URL(fileURLWithPath: path(name)), options: .atomic)
  }

  private func openssl(_ arguments: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: "\(directory.path)")
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "openssl \(arguments)")
  }
}
