public import Bytes
public import Configuration
internal import Cryptography
internal import Glibc
internal import Locks
internal import Reactor
internal import Secrets
public import SystemPackage
public import Telemetry

/// The verdict on a user and a password.
public enum PasswordVerdict: Sendable, Hashable {
  /// They are those of a caller.
  case right(Int)
  /// They are those of no caller.
  case wrong
  /// They were not checked: the client has sent too many wrong ones, and may try again after this many seconds.
  case tooManyGuesses(seconds: Int)
  /// They were not checked: too many others wait already.
  case busy
}

/// Checks user and password on a thread of its own. A check takes about a tenth of a second, and memory, so it does one at a
/// time.
///
/// Neither the verdict nor the time it takes reveals whether a user exists: for an unknown user, the password is compared with
/// the hash of a random one.
public final class PasswordVerifier: @unchecked Sendable {
  // Sendable although it has a timer: once its loop runs, only the loop's thread touches the timer.

  private let hashes: [String: (caller: Int, hash: PasswordHash)]
  private let decoys: [PasswordHash]
  private let anyPassword = Secret("-")
  private let digest: KeyedDigest
  private let checks: Monitor<PasswordChecks>
  private let loop: EventLoop
  private let rest = LoopTimer()
  // Set once, before the first check.
  private var thread: LoopThread?
  private let logger: EventLog
  private let metrics: PasswordMetrics
  private let account: MemoryAccount

  /// Prepares to check the passwords of `callers`, at least one of which has one.
  ///
  /// Throws if there is no memory, randomness or descriptor for it.
  ///
  /// - Parameter previous: The verifier so far. Passwords that it has verified, and that still belong to their callers, are not
  ///   checked again, and guesses that it has counted stay counted.
  /// - Parameter account: Charged with the memory for remembered guesses.
  public init(
    _ callers: [Caller], after previous: PasswordVerifier? = nil, account: MemoryAccount = MemoryAccount(limit: nil),
    registry: MetricsRegistry, logger: EventLog
  ) throws {
    self.account = account
    var hashes: [String: (caller: Int, hash: PasswordHash)] = [:]
    for (index, caller) in callers.enumerated() {
      if let hash = caller.password { hashes[caller.name] = (index, hash) }
    }
    self.hashes = hashes
    // One for each caller, so that a check for an unknown user costs the same as for a known one.
    var decoys: [PasswordHash] = []
    for caller in callers { if let cost = caller.password?.cost { decoys.append(try .decoy(cost: cost)) } }
    self.decoys = decoys
    digest = try previous?.digest ?? KeyedDigest()
    loop = try EventLoop()
    self.logger = logger
    metrics = previous?.metrics ?? PasswordMetrics(registry)
    var checks = PasswordChecks()
    if let previous {
      let names = Dictionary(uniqueKeysWithValues: previous.hashes.map { ($0.value.caller, $0.key) })
      checks = PasswordChecks(after: previous.checks.withLock { $0 }) { old in
        guard let name = names[old], let now = hashes[name], now.hash == previous.hashes[name]?.hash else { return nil }
        return now.caller
      }
    }
    self.checks = Monitor(checks)
  }

  deinit { account.release(checks.withLock { $0.tableBytes }) }

  /// Starts to check passwords, on a thread that ends with ``stop()``.
  public func start() throws(Errno) {
    rest.action = { [self] in if checks.withLock({ $0.resume() }) { work() } }
    thread = try loop.startThread(named: "passwords")
  }

  /// Waits until the thread has ended, after ``stop()``.
  public func join() { thread?.join() }

  /// Ends the thread after the current check.
  public func stop() {
    // On the thread itself, which may be about to use the timer.
    loop.perform { [self] in
      loop.retire(rest)
      rest.action = nil
      loop.stop()
    }
  }

  /// The verdict on `credentials`, if it is known already; otherwise `deliver` will get it, on another thread.
  public func check(
    _ credentials: BasicCredentials, from client: ClientAddress, at peer: String,
    _ deliver: @escaping @Sendable (PasswordVerdict) -> Void
  ) -> PasswordVerdict? {
    guard
      let pair = try? credentials.pair.withBytes({ bytes throws(CryptographyError) in try digest.digest(of: bytes) })
    else { return .busy }
    if let verdict = checks.withLock({ $0.verdict(on: pair) }) { return verdict }
    let user = credentials.user
    let (hash, caller) = hash(of: user)
    // Nothing of an unknown user has to be kept: no password is right, and each check costs the same.
    let entry = PasswordQueue.Entry(
      pair: pair, guesser: Guesser(client, user: user), hash: hash, caller: caller == nil ? nil : user,
      password: caller == nil ? anyPassword : credentials.password, peer: peer)
    let (arrival, growth) = checks.withLock { checks in
      let before = checks.tableBytes
      return (checks.arrive(entry, now: .now, deliver), checks.tableBytes - before)
    }
    if growth > 0 { account.charge(growth) }
    switch arrival {
    case .isKnown(let verdict):
      metrics.countUnlooked(verdict)
      return verdict
    case .waits(let displaced, let begins):
      for waiter in displaced {
        metrics.countUnlooked(.busy)
        waiter(.busy)
      }
      if begins { loop.perform { [self] in work() } }
      return nil
    }
  }

  /// Checks one pair, and posts itself for the next: between two pairs the thread can be stopped.
  private func work() {
    switch checks.withLock({ $0.next(now: .now) }) {
    case .look(let entry):
      look(entry)
      loop.perform { [self] in work() }
    case .rest(let moment): loop.set(rest, to: moment)
    case .nothing: break
    }
  }

  /// The processor time of this thread so far, in nanoseconds.
  private static func processorTime() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private func look(_ entry: PasswordQueue.Entry) {
    let began = Self.processorTime()
    let verdict = verdict(on: entry)
    let effort = Self.processorTime() - began
    metrics.count(verdict)
    if verdict == .wrong { noteWrong(entry) }
    let (waiters, strangers) = checks.withLock { $0.finish(entry.pair, verdict, now: .now, effort: effort) }
    for waiter in waiters { waiter(verdict) }
    for waiters in strangers {
      metrics.count(.wrong)
      for waiter in waiters { waiter(.wrong) }
    }
  }

  private func verdict(on entry: PasswordQueue.Entry) -> PasswordVerdict {
    do {
      let isRight = try entry.hash.matches(entry.password)
      if isRight, let name = entry.caller, let caller = hashes[name]?.caller { return .right(caller) }
      return .wrong
    } catch {
      logger.error(.caller, [.error: "password", .detail: "\(error)"])
      return .busy
    }
  }

  /// The hash that a password of `user` is compared with, and the caller. An unknown user always gets the same hash, of a
  /// random password.
  func hash(of user: String) -> (hash: PasswordHash, caller: Int?) {
    if let known = hashes[user] { return (known.hash, known.caller) }
    let number = user.utf8.reduce(0) { $0 &* 31 &+ UInt($1) } % UInt(decoys.count)
    return (decoys[Int(number)], nil)
  }

  private func noteWrong(_ entry: PasswordQueue.Entry) {
    var fields: EventLog.Fields = [.client: "\(entry.peer)", .error: "wrong_password"]
    // The name of an unknown user may be a password that was typed into the wrong field.
    if let caller = entry.caller { fields[.caller] = "\(caller)" } else { fields[.error] = "unknown_user" }
    logger.warning(.caller, fields)
  }
}

/// Counts password checks by their result.
struct PasswordMetrics: Sendable {
  private let right: Counter
  private let wrong: Counter
  private let limited: Counter
  private let busy: Counter

  init(_ registry: MetricsRegistry) {
    func counter(_ result: String) -> Counter { registry.counter(.passwordChecks, [.result: result]) }
    right = counter("right")
    wrong = counter("wrong")
    limited = counter("limited")
    busy = counter("busy")
  }

  /// Counts a password that was checked, or could not be.
  func count(_ verdict: PasswordVerdict) {
    switch verdict {
    case .right: right.increment()
    case .wrong: wrong.increment()
    case .tooManyGuesses: limited.increment()
    case .busy: busy.increment()
    }
  }

  /// Counts a password that was not checked, unless its verdict was known already.
  func countUnlooked(_ verdict: PasswordVerdict) {
    switch verdict {
    case .right, .wrong: break
    case .tooManyGuesses, .busy: count(verdict)
    }
  }
}
