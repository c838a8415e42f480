internal import Configuration
internal import Cryptography
internal import Locks
internal import Logging
internal import Reactor
internal import Secrets
internal import SystemPackage
internal import Telemetry

/// Tells whose password it is, on a thread of its own: looking at one takes about a tenth of a second, and memory, which is
/// why only one is looked at at a time.
///
/// Nobody learns from an answer, nor from how long it takes, whether a user exists: for one who does not, a hash of
/// nobody's is looked at.
final class PasswordVerifier: Sendable {
  private let hashes: [String: (caller: Int, hash: PasswordHash)]
  private let decoys: [PasswordHash]
  private let digest: KeyedDigest
  private let checks = Monitor(PasswordChecks())
  private let loop: EventLoop
  private let logger: Logger
  private let metrics: PasswordMetrics

  /// - Precondition: one of `callers` has a password.
  init(_ callers: [Caller], registry: MetricsRegistry, logger: Logger) throws(StartError) {
    var hashes: [String: (caller: Int, hash: PasswordHash)] = [:]
    for (index, caller) in callers.enumerated() {
      if let hash = caller.password { hashes[caller.name] = (index, hash) }
    }
    self.hashes = hashes
    do {
      // One for each caller, so that users who do not exist cost what those who do cost.
      var decoys: [PasswordHash] = []
      for caller in callers { if let cost = caller.password?.cost { decoys.append(try .ofNobody(cost: cost)) } }
      self.decoys = decoys
      digest = try KeyedDigest()
      loop = try EventLoop()
    } catch {
      throw StartError("the passwords of callers cannot be prepared: \(error)")
    }
    self.logger = logger
    metrics = PasswordMetrics(registry)
  }

  /// Begins to look at passwords.
  func start() throws(Errno) -> LoopThread { try loop.startThread(named: "passwords") }

  /// Ends the thread, after what it is looking at.
  func stop() { loop.stop() }

  /// Whose `credentials` these are, if that is known; otherwise `deliver` will be told, on another thread.
  func check(
    _ credentials: BasicCredentials, from client: ClientAddress, at peer: String,
    _ deliver: @escaping @Sendable (PasswordVerdict) -> Void
  ) -> PasswordVerdict? {
    guard
      let pair = try? credentials.pair.withBytes({ bytes throws(CryptographyError) in try digest.digest(of: bytes) })
    else { return .busy }
    switch checks.withLock({ $0.arrive(pair, from: client, now: .now, deliver) }) {
    case .isKnown(let verdict):
      metrics.countUnlooked(verdict)
      return verdict
    case .waits: return nil
    case .begins:
      let (user, password) = (credentials.user, credentials.password)
      loop.perform { [self] in look(pair, user, password, peer) }
      return nil
    }
  }

  private func look(_ pair: KeyedDigest.Value, _ user: String, _ password: Secret, _ peer: String) {
    let verdict = verdict(user, password, pair)
    metrics.count(verdict)
    if verdict == .wrong { noteWrong(user, peer) }
    for waiter in checks.withLock({ $0.finish(pair, verdict, now: .now) }) { waiter(verdict) }
  }

  private func verdict(_ user: String, _ password: Secret, _ pair: KeyedDigest.Value) -> PasswordVerdict {
    // The same one each time for a user who does not exist.
    let decoy = decoys[Int(truncatingIfNeeded: user.utf8.reduce(0) { $0 &* 31 &+ UInt($1) } % UInt(decoys.count))]
    let known = hashes[user]
    do {
      let isRight = try (known?.hash ?? decoy).matches(password)
      if let known, isRight { return .right(known.caller) }
      return .wrong
    } catch {
      logger.error("caller", metadata: ["error": "password", "detail": "\(error)"])
      return .busy
    }
  }

  private func noteWrong(_ user: String, _ peer: String) {
    var metadata: Logger.Metadata = ["client": "\(peer)", "error": "wrong_password"]
    // A user who does not exist may be a password that was put in the wrong place.
    if hashes[user] != nil { metadata["caller"] = "\(user)" } else { metadata["error"] = "unknown_user" }
    logger.warning("caller", metadata: metadata)
  }
}
