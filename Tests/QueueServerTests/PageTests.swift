import Crypto
import Foundation
import NIOHTTP1
import Testing

@testable import QueueServer

@Suite("The status page") struct PageTests {
  @Test func `is for browsers, programs are given a few lines`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let page = try await fixture.get("/", headers: [("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")])
      #expect(page.status == 200)
      #expect(page.headers.first(name: "Content-Type") == "text/html; charset=utf-8")
      #expect(page.headers.first(name: "Vary") == "Accept")
      #expect(page.text == StatusPage.document)
      let text = try await fixture.get("/", headers: [("Accept", "*/*")])
      #expect(text.headers.first(name: "Content-Type") == "text/plain; charset=utf-8")
      #expect(text.text.contains("GET  /v1/status"))
    }
  }

  @Test func `has all of its parts in it, and its policy names just those`() throws {
    let document = StatusPage.document
    #expect(document.hasPrefix("<!doctype html>"))
    #expect(!document.contains("src="))
    #expect(!document.contains("rel=\"stylesheet\""))
    let scripts = document.matches(of: #/<script>((?s:.*?))<\/script>/#).map(\.1)
    let styles = document.matches(of: #/<style>((?s:.*?))<\/style>/#).map(\.1)
    #expect(scripts.count == 6 && styles.count == 1)
    for text in scripts + styles {
      let hash = Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
      #expect(StatusPage.policy.contains("'sha256-\(hash)'"))
    }
    #expect(!StatusPage.policy.contains("unsafe"))
  }

  @Test(arguments: ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "style=\"", "onclick"])
  func `makes no markup or code of text`(word: String) { #expect(!StatusPage.document.contains(word)) }
}
