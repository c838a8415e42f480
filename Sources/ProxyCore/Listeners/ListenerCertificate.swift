internal import Configuration
internal import Cryptography
internal import Interception
internal import Locks
internal import Reactor
internal import Secrets
internal import Telemetry

/// The certificate of a listener, and what it verifies client certificates against, for all loops: read again when the
/// files have changed, which new connections check, once a second at most. If one of them cannot be used, all that was
/// read before stays in use.
final class ListenerCertificate: Sendable {
  private struct State {
    // What messages call it.
    var listener: String
    var context: TLSServerContext
    var lists: RevocationLists?
    var stamps: [FileStamp]
    var nextLook: Instant
  }

  private let settings: ListenerTLS
  private let logger: EventLog
  private let state: Monitor<State>

  private static let interval = Duration.seconds(1)

  /// The certificate in the files that `settings` name.
  /// - Throws: why they cannot be used.
  init(_ settings: ListenerTLS, listener: String, logger: EventLog) throws(StartError) {
    self.settings = settings
    self.logger = logger
    let stamps = Self.stamps(of: settings)
    do throws(Unusable) {
      // The reader of proxy.conf has given the warnings that are due now.
      let loaded = try Self.load(settings)
      state = Monitor(
        State(
          listener: listener, context: loaded.context, lists: loaded.lists, stamps: stamps,
          nextLook: .now + Self.interval))
    } catch {
      throw StartError("TLS of \(listener) cannot be served: \(error.description).")
    }
  }

  /// The listener has the address that `listener` names: it is known only now.
  func isServed(at listener: String) { state.withLock { $0.listener = listener } }

  /// What a handshake that begins at `now` needs.
  func context(at now: Instant) -> TLSServerContext {
    state.withLock { state in
      guard now >= state.nextLook else { return state.context }
      state.nextLook = now + Self.interval
      let stamps = Self.stamps(of: settings)
      guard stamps != state.stamps else { return state.context }
      state.stamps = stamps
      do throws(Unusable) {
        let loaded = try Self.load(settings)
        let earlier = state.lists
        (state.context, state.lists) = (loaded.context, loaded.lists)
        logger.notice(.tls, [.listener: "\(state.listener)", .certificate: "reloaded"])
        let warnings = earlier.flatMap { loaded.lists?.warnings(replacing: $0) } ?? loaded.lists?.warnings ?? []
        for warning in warnings {
          logger.warning(
            .tls,
            [
              .listener: "\(state.listener)", .certificate: "reloaded",
              .error: "the file \(settings.clientCRLFile ?? "") \(warning)",
              .hint: "put a current list of each authority into client_crl; it is read again when it changes",
            ])
        }
      } catch {
        logger.warning(
          .tls,
          [
            .listener: "\(state.listener)", .certificate: "kept", .error: "\(error.description)",
            .hint: "what was read before is still in use; the files are read again when they change",
          ])
      }
      return state.context
    }
  }

  private static func stamps(of settings: ListenerTLS) -> [FileStamp] {
    [settings.certificateFile, settings.keyFile, settings.clientCAFile, settings.clientCRLFile].compactMap(\.self)
      .map { FileStamp(path: $0) }
  }

  /// Why files cannot be used, as a sentence without its full stop.
  private struct Unusable: Error {
    let description: String
  }

  private static func load(
    _ settings: ListenerTLS
  ) throws(Unusable) -> (context: TLSServerContext, lists: RevocationLists?) {
    do {
      let identity = try TLSIdentity(certificateFile: settings.certificateFile, keyFile: settings.keyFile)
      let lists = try settings.clientCRLFile.map { try RevocationLists(file: $0, authorities: settings.clientCAFile) }
      let clients = settings.clientCAFile.map {
        ClientVerification(caFile: $0, isRequired: settings.requiresClientCertificate, revocationLists: lists)
      }
      return (try TLSServerContext(identity, minimum: settings.minimum, clients: clients), lists)
    } catch let error as TLSIdentityError {
      throw Unusable(description: "the \(error)")
    } catch let error as RevocationListError {
      throw Unusable(description: "the \(error)")
    } catch {
      throw Unusable(description: "\(error)")
    }
  }
}
