public import Logging
public import NIOSSL
internal import Synchronization

/// The files of TLS, all PEM.
public struct TLSFiles: Sendable, Equatable {
  /// The server's certificate, then those that lead to its authority.
  public var certificate: String
  /// Its private key, without a passphrase.
  public var key: String
  /// Authorities one of which must have signed a client's certificate; nil: clients need none.
  public var clientAuthority: String?

  /// A certificate with its key.
  public init(certificate: String, key: String, clientAuthority: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.clientAuthority = clientAuthority
  }

  var all: [String] { [certificate, key] + (clientAuthority.map { [$0] } ?? []) }
}

/// Files of TLS that can't be used: which, why, and what to do. Holds nothing of the key.
public struct TLSFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sentence.
  public let description: String
}

/// The TLS of new connections: from files, read again when they change.
///
/// A connection keeps what it began with. New files that can't be used, or that don't belong together (a new certificate whose key isn't
/// there yet), leave the old ones in force, which is said once for each change.
public final class TLSContexts: Sendable {
  /// A file with more is none of these.
  private static let maximumBytes = 16 << 20

  private struct State {
    var context: NIOSSLContext
    var seen: [OperatorFile.Identity?]
  }

  private let files: TLSFiles
  private let logger: Logger
  private let state: Mutex<State>
  private let timer = Mutex<RepeatingTimer?>(nil)

  /// Reads the files, and from now on, looking every ten seconds, whenever one changes. Blocking; only for the start.
  public convenience init(files: TLSFiles, logger: Logger) throws(TLSFileError) {
    try self.init(files: files, logger: logger, interval: .seconds(10))
  }

  /// Looks at the files every `interval`; nil: only when ``look()`` is called.
  init(files: TLSFiles, logger: Logger, interval: Duration?) throws(TLSFileError) {
    self.files = files
    self.logger = logger
    // Told before the content: a change between the two is seen by the next look.
    let seen = files.all.map { OperatorFile.Identity(path: $0) }
    state = Mutex(State(context: try Self.context(of: files), seen: seen))
    guard let interval else { return }
    timer.withLock { $0 = RepeatingTimer(label: "sluice.tls", interval: interval) { [weak self] in self?.look() } }
  }

  /// What the next connection uses.
  public var current: NIOSSLContext { state.withLock(\.context) }

  /// Looks at the files at once, on SIGHUP say; returns before it is done.
  public func reload() { timer.withLock { $0 }?.callSoon() }

  /// Reads the files if one has changed since they were last read, or tried to be. Blocking; one at a time.
  func look() {
    let now = files.all.map { OperatorFile.Identity(path: $0) }
    guard now != state.withLock(\.seen) else { return }
    do throws(TLSFileError) {
      let context = try Self.context(of: files)
      state.withLock { $0 = State(context: context, seen: now) }
      logger.notice("the TLS certificate was read again", metadata: ["server.certificate": "\(files.certificate)"])
    } catch {
      state.withLock { $0.seen = now }
      logger.error(
        "the files of TLS can't be used; new connections go on with those read before", metadata: ["error": "\(error)"])
    }
  }

  // MARK: - Reading

  private static func context(of files: TLSFiles) throws(TLSFileError) -> NIOSSLContext {
    let chain = try certificates(in: files.certificate)
    let key = try privateKey(in: files.key)
    var configuration: TLSConfiguration
    if let clientAuthority = files.clientAuthority {
      configuration = .makeServerConfigurationWithMTLS(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key),
        trustRoots: .certificates(try certificates(in: clientAuthority)))
    } else {
      configuration = .makeServerConfiguration(certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    }
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw TLSFileError(
        description:
          "the certificate of \(files.certificate) and the key of \(files.key) can't be used together: \(error); give the key that belongs to the first certificate of that file"
      )
    }
  }

  private static func certificates(in file: String) throws(TLSFileError) -> [NIOSSLCertificate] {
    let bytes = try read(file)
    guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
      throw TLSFileError(description: "\(file): it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    return certificates
  }

  private static func privateKey(in file: String) throws(TLSFileError) -> NIOSSLPrivateKey {
    let bytes = try read(file)
    guard let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) else {
      throw TLSFileError(description: "\(file): it holds no private key in PEM form, or one with a passphrase, which can't be asked for")
    }
    return key
  }

  private static func read(_ file: String) throws(TLSFileError) -> [UInt8] {
    do throws(OperatorFile.Problem) {
      return try OperatorFile.read(file, limit: maximumBytes)
    } catch {
      throw TLSFileError(description: "\(file): \(error.sentence)")
    }
  }
}
