internal import ArgumentParser
internal import PipelineConfiguration
internal import PipelineCore

/// Where and how to serve HTTP, by the command line; it goes before a pipeline file's `server` section.
struct ServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Serve HTTP there: an address and port, or unix:PATH.", valueName: "ADDRESS"), transform: ServerOptions.address)
  var listen: ServerAddress?

  @Option(help: ArgumentHelp("Requests need a token of this file; 'sluice token' makes them.", valueName: "FILE"), completion: .file())
  var tokens: String?

  @Option(help: ArgumentHelp("Serve HTTPS with this certificate (PEM, the server's first).", valueName: "FILE"), completion: .file())
  var tlsCertificate: String?

  @Option(help: ArgumentHelp("The certificate's private key (PEM).", valueName: "FILE"), completion: .file())
  var tlsKey: String?

  @Flag(help: "Listen on an address that other machines reach without tokens, or with tokens and no TLS: I know that it is open.")
  var insecure = false

  func validate() throws {
    if (tlsCertificate == nil) != (tlsKey == nil) { throw ValidationError("--tls-certificate and --tls-key go together") }
    if listen == nil, tokens != nil || tlsCertificate != nil || insecure {
      throw ValidationError(
        "--tokens, --tls-certificate, --tls-key and --insecure are of use with --listen; a pipeline file's 'server' section has its own")
    }
  }

  /// What the command line asks for; without --listen what the pipeline files say.
  func definition(or other: ServerDefinition?) throws -> ServerDefinition? {
    guard let listen else { return other }
    var definition = other ?? ServerDefinition()
    definition.listen = listen
    if let tokens { definition.tokensFile = tokens }
    if let tlsCertificate, let tlsKey { definition.tls = ServerDefinition.TLS(certificateFile: tlsCertificate, keyFile: tlsKey) }
    if insecure { definition.isInsecure = true }
    return definition
  }

  private static func address(_ text: String) throws -> ServerAddress {
    guard let address = ServerAddress(text: text) else {
      let suggestion = ServerAddress.suggestion(for: text).map { "; did you mean \($0)?" } ?? ""
      throw ValidationError("expected \(ServerAddress.expected), got '\(text)'\(suggestion)")
    }
    return address
  }
}
