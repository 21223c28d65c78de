internal import ArgumentParser
internal import QueueServer

/// `sluice token`.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make an access token for the HTTP server.",
    discussion: """
      The token goes to standard output, once: it is kept nowhere. Its line for the server's file of tokens goes to standard error, or with --append into that \
      file, which a running server reads again within two seconds. Remove the line to take the token back.

        sluice token web --scope write@app-logs --append /etc/sluice/tokens > web.token
        curl -H "Authorization: Bearer $(cat web.token)" --data-binary @app.log http://127.0.0.1:7171/v1/queues/app-logs/records
      """)

  @Argument(help: ArgumentHelp("What the token is called in the file and in logs.", valueName: "NAME"))
  var name: String

  @Option(
    name: .customLong("scope"),
    help: ArgumentHelp(
      "What it is for: read, write or admin (both, and more), of a queue, of queues whose names begin alike (app-*), or of all (*). May be given several times.",
      valueName: "read@QUEUE"), transform: grant)
  var scopes: [Grant] = []

  @Option(
    name: .customLong("append"),
    help: ArgumentHelp("Add the token's line to this file; it is made when missing, for its user only.", valueName: "FILE"),
    completion: .file())
  var file: String?

  private static func grant(_ text: String) throws -> Grant {
    guard let grant = Grant(text) else { throw ValidationError("expected \(Grant.expected)") }
    return grant
  }

  func validate() throws {
    if let problem = NewToken.problem(name: name, grants: scopes) { throw ValidationError(problem) }
  }

  func run() throws {
    let new = NewToken(name: name, grants: scopes)
    guard let file else {
      DiagnosticOutput.shared.line(new.line)
      try StandardOutput.write(new.token + "\n")
      return
    }
    // The line first: a token that a server doesn't know is worse than a line whose token nobody has.
    do throws(TokenFileError) {
      try new.append(to: file)
    } catch {
      throw CommandFailure(.failure, lines: error.lines)
    }
    do throws(CommandFailure) {
      try StandardOutput.write(new.token + "\n")
    } catch {
      throw CommandFailure(error.code, lines: error.lines + ["the line of \(name), whose token nobody has, is in \(file); remove it"])
    }
  }
}
