import Foundation
import TestSupport
import Testing

@testable import QueueServer

@Suite("The files of TLS") struct TLSContextsTests {
  private let certificates: TestCertificates
  private let log = RecordedLog()

  init() throws { certificates = try TestCertificates() }

  private var files: TLSFiles { TLSFiles(certificate: certificates.path("server.pem"), key: certificates.path("server.key")) }

  private func contexts() throws -> TLSContexts { try TLSContexts(files: files, logger: log.logger, interval: nil) }

  @Test func `are taken over when they change, and only then`() throws {
    let contexts = try contexts()
    let first = contexts.current
    contexts.look()
    #expect(contexts.current === first)
    try certificates.make("next")
    try certificates.replace("server.pem", with: "next.pem")
    try certificates.replace("server.key", with: "next.key")
    contexts.look()
    #expect(contexts.current !== first)
    #expect(log.messages == ["notice: the TLS certificate was read again"])
  }

  @Test func `stay as they were while they don't belong together, which is said once`() throws {
    let contexts = try contexts()
    let first = contexts.current
    try certificates.make("next")
    try certificates.replace("server.pem", with: "next.pem")
    for _ in 0..<3 { contexts.look() }
    #expect(contexts.current === first)
    #expect(log.messages == ["error: the files of TLS can't be used; new connections go on with those read before"])
    try certificates.replace("server.key", with: "next.key")
    contexts.look()
    #expect(contexts.current !== first)
  }

  @Test func `stay as they were while one is missing or broken`() throws {
    let contexts = try contexts()
    let first = contexts.current
    try FileManager.default.removeItem(atPath: files.key)
    contexts.look()
    try Data("-----BEGIN PRIVATE KEY-----\n".utf8).write(to: URL(fileURLWithPath: files.key))
    contexts.look()
    #expect(contexts.current === first)
    #expect(log.messages.count == 2)
  }

  @Test func `that can't be used stop the start with the file's name`() throws {
    func problem(_ files: TLSFiles) -> String? {
      do throws(TLSFileError) {
        _ = try TLSContexts(files: files, logger: log.logger, interval: nil)
        return nil
      } catch {
        return error.description
      }
    }
    let (server, client) = (files, certificates.path("client.key"))
    #expect(
      problem(TLSFiles(certificate: server.certificate, key: "/missing"))?.hasPrefix("/missing: cannot open the file: No such file") == true
    )
    #expect(
      problem(TLSFiles(certificate: server.key, key: server.key))
        == "\(server.key): it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    #expect(problem(TLSFiles(certificate: server.certificate, key: server.certificate))?.contains("no private key in PEM form") == true)
    #expect(problem(TLSFiles(certificate: server.certificate, key: client))?.contains("\(client) can't be used together") == true)
    #expect(
      problem(TLSFiles(certificate: server.certificate, key: server.key, clientAuthority: "/dev/null"))
        == "/dev/null: it is no regular file")
    #expect(problem(TLSFiles(certificate: server.certificate, key: server.key, clientAuthority: certificates.path("ca.pem"))) == nil)
  }
}
