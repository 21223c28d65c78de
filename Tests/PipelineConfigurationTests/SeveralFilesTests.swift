import PipelineCore
import Testing

@testable import PipelineConfiguration

@Suite("Several pipeline files") struct SeveralFilesTests {
  @Test func `load in the order given`() throws {
    let files = TestFiles(["b.yaml": "sources: { in: { type: stdin } }", "a.yaml": "sources: { app: { type: file, paths: [/a] } }"])
    #expect(try files.load(["b.yaml", "a.yaml"]).map(\.queue.name) == ["b", "a"])
  }

  @Test func `are told all their mistakes at once, in order`() {
    let files = TestFiles(["a.yaml": "quue: {}\nsources: { in: { type: stdn } }", "b.yaml": "sources: {}"])
    #expect(
      files.mistakes(["b.yaml", "missing.yaml", "a.yaml"]) == [
        "b.yaml:1:1: sources: a pipeline needs at least one source",
        "missing.yaml: cannot read the file: No such file or directory",
        "a.yaml:1:1: unknown key 'quue' at the top level; did you mean 'queue'?",
        "a.yaml:2:24: sources.in.type: expected file, syslog, stdin or jetstream, got 'stdn'; did you mean 'stdin'?",
      ])
  }

  @Test func `need queues of their own`() {
    let files = TestFiles([
      "a.yaml": "queue: { name: logs }\nsources: { app: { type: file, paths: [/a] } }",
      "b.yaml": "queue: { name: logs, path: ./data/../data/logs/ }\nsources: { app: { type: file, paths: [/a] } }",
      "c.yaml": "queue: { path: /work dir/data/logs/inner }\nsources: { app: { type: file, paths: [/a] } }",
      "d.yaml": "queue: { path: data/logs.dead-letters }\nsources: { app: { type: file, paths: [/a] } }",
      "e.yaml": "queue: { path: data }\nsources: { app: { type: file, paths: [/a] } }",
    ])
    #expect(
      files.mistakes() == [
        "b.yaml:1:16: queue.name: 'logs' is the queue of a.yaml:1:16 too; each file needs a queue of its own",
        "b.yaml:1:28: queue.path: './data/../data/logs/' is the same as a queue's directory of a.yaml:1:1; give each queue a directory of its own",
        "c.yaml:1:16: queue.path: '/work dir/data/logs/inner' lies in the same tree as a queue's directory of a.yaml:1:1; give each queue a directory of its own",
        "d.yaml:1:16: queue.path: 'data/logs.dead-letters' is the same as a queue's directory of a.yaml:1:1; give each queue a directory of its own",
        "e.yaml:1:16: queue.path: 'data' lies in the same tree as a queue's directory of a.yaml:1:1; give each queue a directory of its own",
      ])
  }

  @Test func `share standard input, addresses and outputs with none`() {
    let one = """
      sources: { in: { type: stdin }, net: { type: syslog, listen: "udp://[::]:514" } }
      sinks: { out: { type: file, path: archive/all.log } }
      """
    let files = TestFiles(["a.yaml": one, "b.yaml": one])
    #expect(
      files.mistakes() == [
        "b.yaml:1:12: sources.in: standard input is read already by the source of a.yaml:1:12",
        "b.yaml:1:62: sources.net.listen: 'udp://[::]:514' is listened on already by the source of a.yaml:1:62",
        "b.yaml:2:35: sinks.out.path: 'archive/all.log' could name the same file as 'archive/all.log' of a.yaml:2:35",
      ])
  }

  @Test func `have one server among them`() throws {
    let plain = "sources: { in: { type: file, paths: [/a] } }"
    let files = TestFiles([
      "a.yaml": plain, "b.yaml": plain + "\nserver: { listen: unix:/run/s }", "c.yaml": "server: {}\n" + plain,
      "d.yaml": "server: {}\n" + plain,
    ])
    #expect(try files.load(["a.yaml", "b.yaml"]).map(\.server) == [nil, ServerDefinition(listen: .unix(path: "/run/s"))])
    #expect(
      files.mistakes() == [
        "c.yaml:1:1: server: the process has one HTTP side, and it stands in b.yaml:2:1; remove one of the sections",
        "d.yaml:1:1: server: the process has one HTTP side, and it stands in b.yaml:2:1; remove one of the sections",
      ])
  }

  @Test func `are each given once`() {
    let files = TestFiles(["a.yaml": "sources: { in: { type: stdin } }"])
    #expect(files.mistakes(["a.yaml", "a.yaml"]) == ["a.yaml: the file is given twice"])
  }

  @Test func `one may tail what another writes`() {
    let files = TestFiles([
      "a.yaml": "sources: { in: { type: stdin } }\nsinks: { out: { type: file, path: logs/a.log } }",
      "b.yaml": "sources: { in: { type: file, paths: [logs/*.log] } }",
    ])
    #expect(files.mistakes() == [])
  }

  @Test func `a name that can't be a queue's is told`() {
    let rule = "a name of a-z, 0-9, '.', '_' and '-' that begins with a letter or digit, at most 64 long"
    let files = TestFiles(["dir/My Logs.yml": "sources: { in: { type: stdin } }"])
    #expect(
      files.mistakes(["dir/My Logs.yml"]) == [
        "dir/My Logs.yml:1:1: queue.name: the file's name 'My Logs' can't be the queue's (\(rule)); add queue: { name: … }"
      ])
  }

  @Test func `a thousand are checked against one another in a moment`() throws {
    var files: [String: String] = [:]
    for number in 1...1000 {
      files["p\(number).yaml"] = """
        sources: { app: { type: file, paths: [/var/log/app\(number)/*.log] } }
        sinks: { out: { type: file, path: archive/app\(number)-%Y.log } }
        """
    }
    #expect(try TestFiles(files).load().count == 1000)
  }
}
