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
      valueName: "read@QUEUE"))
  var scopes: [ScopeArgument] = []

  @Option(
    name: .customLong("append"),
    help: ArgumentHelp("Add the token's line to this file; it is made when missing, for its user only.", valueName: "FILE"),
    completion: .file())
  var file: String?

  func validate() throws {
    if let problem = NewToken.problem(name: name, grants: scopes.map(\.grant)) { throw ValidationError(problem) }
  }

  func run() throws {
    let new = NewToken(name: name, grants: scopes.map(\.grant))
    // The line first: a token that a server doesn't know is worse than a line whose token nobody has.
    if let file {
      do throws(TokenFileError) { try new.append(to: file) } catch { throw CommandFailure(.failure, lines: error.lines) }
    } else {
      DiagnosticOutput.shared.line(new.line)
    }
    do throws(CommandFailure) { try StandardOutput.write(new.token + "\n") } catch {
      guard let file else { throw error }
      throw CommandFailure(error.code, lines: error.lines + ["the line '\(name) …' of a token that nobody has is in \(file); remove it"])
    }
  }
}

/// What a token allows: `read@app-logs`.
struct ScopeArgument: ExpressibleByArgument {
  var grant: Grant

  init?(argument: String) {
    guard let grant = Grant(argument) else { return nil }
    self.grant = grant
  }
}
