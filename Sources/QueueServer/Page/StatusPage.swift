internal import Crypto
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The page at `/`: one document that loads nothing, from here or from elsewhere. Its parts are the files under `assets`, which open in a browser
/// as they are; they are compiled in.
enum StatusPage {
  /// The document, its scripts and its style in it.
  static let document: String = build(
    text(PackageResources.page_html),
    [
      "page.css": text(PackageResources.page_css), "format.js": text(PackageResources.format_js),
      "events.js": text(PackageResources.events_js), "plot.js": text(PackageResources.plot_js),
      "queues.js": text(PackageResources.queues_js), "tail.js": text(PackageResources.tail_js), "page.js": text(PackageResources.page_js),
    ])

  /// What a browser may do with the document: run just these scripts and ask this server. Names and lines of logs are foreign, so even what
  /// a mistake would let into the document could neither run nor load nor send anything.
  static let policy: String = {
    let (scripts, styles) = (contents(of: "script"), contents(of: "style"))
    return [
      "default-src 'none'", "script-src \(scripts.map(hash).joined(separator: " "))",
      "style-src \(styles.map(hash).joined(separator: " "))",
      "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
      "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")
  }()

  static func respond(_ call: Call) -> Response {
    Response(
      status: .ok,
      headers: [
        .contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy, .vary: "Accept",
        .crossOriginResourcePolicy: "same-origin",
        .init("Cross-Origin-Opener-Policy")!: "same-origin", .init("Referrer-Policy")!: "no-referrer",
      ], body: ResponseBody(byteBuffer: ByteBuffer(string: document)))
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// Puts style and scripts where the page refers to them.
  private static func build(_ page: String, _ files: [String: String]) -> String {
    var page = page
    for (name, content) in files {
      let (reference, tag) =
        name.hasSuffix(".css")
        ? ("<link rel=\"stylesheet\" href=\"\(name)\">", "style") : ("<script src=\"\(name)\"></script>", "script")
      precondition(page.contains(reference), "the page doesn't refer to \(name)")
      precondition(!content.contains("</\(tag)"), "\(name) would end its element")
      page = page.replacing(reference, with: "<\(tag)>\(content)</\(tag)>")
    }
    return page
  }

  /// The texts of all elements of that name.
  private static func contents(of tag: String) -> [Substring] {
    document.components(separatedBy: "<\(tag)>").dropFirst().map { $0[..<($0.range(of: "</\(tag)>")?.lowerBound ?? $0.endIndex)] }
  }

  private static func hash(_ text: Substring) -> String { "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'" }
}
