import SystemPackage
import Testing

@testable import FileSink

@Suite struct `Path templates` {
  /// 2026-09-01 23:05:09 UTC.
  let time: Int64 = 1_788_303_909_123_456_789

  @Test func `Fields are filled in with leading zeros, and the number stands before the extensions`() throws {
    func expand(_ text: String, _ number: Int = 0) throws -> String { try PathTemplate(text).expand(time: time, number: number).string }
    #expect(try expand("archive/app-%Y-%m-%d.log") == "archive/app-2026-09-01.log")
    #expect(try expand("archive/app-%Y-%m-%d.log", 1) == "archive/app-2026-09-01.0001.log")
    #expect(try expand("archive/app-%Y-%m-%d.log.gz", 23) == "archive/app-2026-09-01.0023.log.gz")
    #expect(try expand("/var/log/%Y/%m/%d/%H%M%S.log", 12_345) == "/var/log/2026/09/01/230509.12345.log")
    #expect(try expand("out/app", 1) == "out/app.0001")
    #expect(try expand("out/app.gz", 1) == "out/app.0001.gz")
    #expect(try expand("out/app-%Y.%m.%d", 1) == "out/app-2026.09.01.0001")
    #expect(try expand("out/app.1", 2) == "out/app.1.0002")
    #expect(try expand("out/.log", 1) == "out/.log.0001")
    #expect(try expand("out/%H.log", 1) == "out/23.0001.log")
    #expect(try expand("100%%/%%Y") == "100%/%Y")
    #expect(try expand("./%Y.log") == "2026.log")
    #expect(try expand("/app.log") == "/app.log")
    #expect(try expand("a//b/./c.log") == "a/b/c.log")
  }

  @Test(arguments: [
    ("1970-01-01 00:00:00", 0), ("1969-12-31 23:59:59", -1), ("2000-02-29 12:00:00", 951_825_600), ("2100-03-01 00:00:00", 4_107_542_400),
    ("1900-02-28 23:59:59", -2_203_891_201), ("2026-12-31 23:59:59", 1_798_761_599),
  ])
  func `Dates are those of the calendar`(_ expected: String, _ second: Int64) throws {
    #expect(try PathTemplate("x/%Y-%m-%d %H:%M:%S").expand(time: second * 1_000_000_000).lastComponent?.string == expected)
  }

  @Test func `Times are shown in the template's zone, with its daylight saving`() throws {
    let berlin = try PathTemplate("x/%d-%H%M", timezone: "Europe/Berlin")
    #expect(berlin.expand(time: time).string == "x/02-0105")
    // 2026-10-25 00:30 and 01:30 UTC: both are 02:30 on the clocks.
    #expect(berlin.expand(time: 1_792_888_200_000_000_000).string == "x/25-0230")
    #expect(berlin.expand(time: 1_792_891_800_000_000_000).string == "x/25-0230")
    #expect(try PathTemplate("x/%H%M", timezone: "Asia/Kolkata").expand(time: 0).string == "x/0530")
  }

  @Test func `The fixed directory is what stands before the first part that varies`() throws {
    #expect(try PathTemplate("archive/a/%Y/app.log").fixedDirectory == "archive/a")
    #expect(try PathTemplate("/var/log/app-%Y.log").fixedDirectory == "/var/log")
    #expect(try PathTemplate("app.log").fixedDirectory == ".")
    #expect(try PathTemplate("./%Y/app.log").fixedDirectory == ".")
    #expect(try PathTemplate("/app.log").fixedDirectory == "/")
    #expect(try PathTemplate("a/x.log.gz").isCompressed)
    #expect(try !PathTemplate("a/gz").isCompressed)
    #expect(try !PathTemplate("a/.gz").isCompressed)
  }

  @Test(arguments: [
    ("", "names no file"), ("archive/", "archive/app-%Y-%m-%d.log"), ("/", "names no file"), ("a/.", "names no file"),
    ("a/../b.log", "'..'"),
    ("../b.log", "'..'"), ("%Y/app.log", "./%Y/app.log"), ("app-%Y.log", "./app-%Y.log"), ("/%Y/app.log", "begins with a part that varies"),
    ("a/%y.log", "'%y'; known are"), ("a/100%", "write %% for a percent sign"), ("a/b\nc", "control character"),
    ("a/b\u{7F}", "control character"),
    ("a/" + String(repeating: "x", count: 250), "longer than 234 bytes"),
    (String(repeating: "x", count: 256) + "/%Y.log", "too long or fine"),
    (String(repeating: "dir/", count: 256) + "a.log", "longer than 1024 bytes"),
    ("a/%Y" + String(repeating: "d", count: 252) + "/a.log", "longer than 255 bytes"),
  ])
  func `A text that is no template is refused with a reason and a remedy`(_ text: String, _ reason: String) {
    do throws(PathTemplateError) {
      let template = try PathTemplate(text)
      // A fixed directory's names are the file system's to judge.
      #expect(reason == "too long or fine", "accepted as \(template)")
    } catch {
      #expect(error.description.contains(reason))
      #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    }
  }

  @Test func `An unknown time zone is refused`() {
    #expect(throws: PathTemplateError.self) { try PathTemplate("a/b.log", timezone: "Europe/Bielefeld") }
  }

  @Test(arguments: [
    ("out/app.log", "out/app.log", true), ("out/app.log", "out/b.log", false), ("out/app.log", "out/app.log.gz", false),
    ("out/app.log", "out/app.0001.log", true), ("out/app-%Y.log", "out/app-2026.log", true), ("out/app-%Y.log", "out/app-9999.log", false),
    ("out/app-%Y-%m.log", "out/app-%Y-%d.log", true), ("out/%Y/app.log", "out/2026/app.log", true),
    ("out/%Y/app.log", "out/%Y/%m/app.log", false),
    ("out/%m.log", "out/45.log", false), ("out/app", "out/app.%Y", true), ("out/app", "out/app.%d", false),
    ("a/app.log", "b/app.log", false),
    ("./app.log", "app.log", true), ("/app.log", "app.log", false), ("out/app.%H%M%S.log", "out/app.log", true),
    ("out/a%%b", "out/a%%b", true),
  ])
  func `Two templates collide when some time and number give both the same path`(_ one: String, _ other: String, _ expected: Bool) throws {
    let (one, other) = (try PathTemplate(one), try PathTemplate(other))
    #expect(one.couldCollide(with: other) == expected)
    #expect(other.couldCollide(with: one) == expected)
  }

  @Test func `The longest templates are compared without trouble`() throws {
    let long = try PathTemplate("a/" + String(repeating: "d%Y/", count: 100) + "app.log")
    #expect(long.couldCollide(with: long))
    #expect(try !long.couldCollide(with: PathTemplate("a/" + String(repeating: "d%Y/", count: 100) + "apq.log")))
  }
}
