import Testing

@testable import JetStream

@Suite struct SubjectPatternTests {
  @Test(arguments: [
    ("a.b", "a.b", true), ("a.*", "a.b", true), ("a.*", "a.b.c", false), ("a.>", "a.b.c", true), ("a.>", "a", false), (">", "a", true),
    ("*.b", "a.b", true), ("a.b.c", "a.b", false), ("a", "a.b", false),
  ])
  func `a pattern takes the subjects that NATS's does`(pattern: String, subject: String, isTaken: Bool) {
    #expect(SubjectPattern(pattern).matches(subject) == isTaken)
  }

  @Test func `each subject is in exactly one share, and shares are about equal`() {
    var counts = [0, 0, 0]
    for number in 0..<3000 {
      let owners = (0..<3).filter { SubjectShare(index: $0, count: 3).contains("sluice.host-\(number).app") }
      #expect(owners.count == 1)
      counts[owners[0]] += 1
    }
    #expect(counts.allSatisfy { (800...1200).contains($0) }, "\(counts)")
  }

  @Test func `a subject's share never changes`() {
    // All hosts must agree, those of other versions too. FNV-1a of "a" is af63dc4c8601ec8c, as its authors' test vectors say.
    let hash: UInt64 = 0xaf63_dc4c_8601_ec8c
    for count in 2...50 { #expect(SubjectShare(index: Int(hash % UInt64(count)), count: count).contains("a")) }
  }
}
