internal import Locks

/// A store whose operations have a deadline: a disk that hangs must not keep requests waiting.
///
/// Operations run one after the other, so that at most one hangs. When one takes too long, those that wait behind it
/// fail too; every further one fails at once, until the slow one has returned and some time has passed. Tokens are kept
/// in memory meanwhile. The result of an operation that returns late is dropped, except for claims, which are released.
final class TimedTokenStore: TokenStore {
  /// How long an operation may take, including the wait for those before it.
  static let deadline: Duration = .seconds(2)
  /// How long the store is left alone after an operation that exceeded the deadline.
  static let pause: Duration = .seconds(30)

  private struct Operation {
    let number: UInt64
    let run: @Sendable () async -> Void
    /// Tells the caller to stop waiting; false if it has its result, or has given up already.
    let giveUp: @Sendable (TokenStoreProblem) -> Bool
    /// Whether it must be done even if its caller no longer waits.
    let isOwed: Bool
    let calledAt: TokenInstant
    var begunAt: TokenInstant?
  }

  private struct State {
    var lastNumber: UInt64 = 0
    var waiting: [Operation] = []
    var running: Operation?
    /// Whether `running` has taken too long.
    var hangs = false
    /// When the store may be used again afterwards.
    var restsUntil: TokenInstant?
    /// Whether a caller was told, so that the others need not report it again.
    var isTold = false
  }

  private enum Entry {
    case begin
    case wait
    case refuse(TokenStoreProblem)
  }

  private let store: any TokenStore
  private let clock: TokenClock
  private let schedule: @Sendable (_ delay: Duration, _ call: @escaping @Sendable () -> Void) -> Void
  private let state = Monitor(State())

  init(
    _ store: any TokenStore, clock: TokenClock,
    schedule: @escaping @Sendable (_ delay: Duration, _ call: @escaping @Sendable () -> Void) -> Void
  ) {
    self.store = store
    self.clock = clock
    self.schedule = schedule
  }

  func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken? {
    let store = store
    return try await perform { () async throws(TokenStoreProblem) in try await store.load(grant) }
  }

  func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    let store = store
    try await perform { () async throws(TokenStoreProblem) in try await store.save(token, for: grant) }
  }

  func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    let store = store
    try await perform { () async throws(TokenStoreProblem) in try await store.drop(token, for: grant) }
  }

  func claim(_ grant: TokenGrant, for duration: Duration) async throws(TokenStoreProblem) -> (any TokenClaim)? {
    let store = store
    let claim = try await perform(
      { () async throws(TokenStoreProblem) in try await store.claim(grant, for: duration) },
      // The caller has gone on without the claim, and other processes would wait for it.
      late: { claim in await claim?.release() })
    return claim.map { Claim(claim: $0, store: self) }
  }

  func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums {
    let store = store
    return try await perform { () async throws(TokenStoreProblem) in
      try await store.count(issued, for: account, knowing: known, atWallSeconds: seconds)
    }
  }

  /// A claim whose release runs like the other operations: in turn, and without waiting for a store that hangs.
  private struct Claim: TokenClaim {
    let claim: any TokenClaim
    let store: TimedTokenStore

    func release() async {
      let claim = claim
      // A store that hangs has been reported, or the next operation reports it.
      try? await store.perform({ () async throws(TokenStoreProblem) in await claim.release() }, isOwed: true)
    }
  }

  // MARK: One after the other

  /// The result of `work`, if it comes in time; otherwise `late` is called with it.
  private func perform<R: Sendable>(
    _ work: @escaping @Sendable () async throws(TokenStoreProblem) -> R,
    late: @escaping @Sendable (R) async -> Void = { _ in }, isOwed: Bool = false
  ) async throws(TokenStoreProblem) -> R {
    let result = await withCheckedContinuation { continuation in
      let caller = Caller<R>(continuation)
      let run: @Sendable () async -> Void = {
        let result: Result<R, TokenStoreProblem>
        do throws(TokenStoreProblem) { result = .success(try await work()) } catch { result = .failure(error) }
        if !caller.resume(with: result), case .success(let value) = result { await late(value) }
      }
      enter(run, isOwed: isOwed) { caller.resume(with: .failure($0)) }
    }
    return try result.get()
  }

  private func enter(
    _ run: @escaping @Sendable () async -> Void, isOwed: Bool,
    giveUp: @escaping @Sendable (TokenStoreProblem) -> Bool
  ) {
    let now = clock.now
    let (number, entry) = state.withLock { state -> (UInt64, Entry) in
      state.lastNumber += 1
      var operation = Operation(
        number: state.lastNumber, run: run, giveUp: giveUp, isOwed: isOwed, calledAt: now, begunAt: nil)
      if let end = state.restsUntil, !state.hangs, now >= end { (state.restsUntil, state.isTold) = (nil, false) }
      let isResting = state.restsUntil != nil
      if isResting, !isOwed { return (operation.number, .refuse(Self.problem(&state))) }
      if state.running == nil {
        operation.begunAt = now
        state.running = operation
        return (operation.number, .begin)
      }
      state.waiting.append(operation)
      return (operation.number, isResting ? .refuse(Self.repeated) : .wait)
    }
    if case .refuse(let problem) = entry {
      _ = giveUp(problem)
      return
    }
    watch(number, for: Self.deadline)
    if case .begin = entry { Task.detached { await self.runAll() } }
  }

  /// Runs the operation at the front, and all that wait.
  private func runAll() async {
    var next = state.withLock { $0.running }
    while let operation = next {
      await operation.run()
      let now = clock.now
      next = state.withLock { state in
        state.hangs = false
        state.running = state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        state.running?.begunAt = now
        return state.running
      }
      // An operation that has waited gets a new deadline for its own run.
      if let next, next.calledAt < now { watch(next.number, for: Self.deadline) }
    }
  }

  private func watch(_ number: UInt64, for duration: Duration) {
    schedule(duration) { [weak self] in self?.check(number) }
  }

  /// Checks whether the operation `number` has taken too long.
  private func check(_ number: UInt64) {
    let now = clock.now
    let late = state.withLock { state -> [(operation: Operation, problem: TokenStoreProblem)] in
      if let running = state.running, running.number == number {
        guard let begunAt = running.begunAt, begunAt.duration(to: now) >= Self.deadline else {
          return running.calledAt.duration(to: now) >= Self.deadline ? [(running, Self.slow)] : []
        }
        guard !state.hangs else { return [] }
        state.hangs = true
        state.restsUntil = now.advanced(by: Self.pause)
        // Callers that are told may call again before this returns.
        state.isTold = true
        let waiting = state.waiting
        state.waiting.removeAll { !$0.isOwed }
        return ([running] + waiting).map { ($0, Self.hanging) }
      }
      guard let index = state.waiting.firstIndex(where: { $0.number == number }),
        state.waiting[index].calledAt.duration(to: now) >= Self.deadline
      else { return [] }
      let operation = state.waiting[index]
      if !operation.isOwed { state.waiting.remove(at: index) }
      return [(operation, Self.slow)]
    }
    var isTold = false
    for (operation, problem) in late {
      let wasWaiting = operation.giveUp(isTold ? Self.repeated : problem)
      // Releasing a claim reports nothing.
      if problem == Self.hanging, wasWaiting, !operation.isOwed { isTold = true }
    }
    // Nothing was reported: the next caller gets the report.
    if !isTold, late.first?.problem == Self.hanging { state.withLock { $0.isTold = false } }
  }

  private static func problem(_ state: inout State) -> TokenStoreProblem {
    defer { state.isTold = true }
    return state.isTold ? repeated : hanging
  }

  private static let hanging = TokenStoreProblem(
    .stalled, "An operation of the token store has taken longer than \(deadline.components.seconds) s")
  private static let repeated = TokenStoreProblem(hanging.kind, hanging.detail, isRepeated: true)
  private static let slow = TokenStoreProblem(
    .stalled, "An operation of the token store has waited for others for \(deadline.components.seconds) s")
}

/// The caller of an operation: the first result counts.
private final class Caller<R: Sendable>: Sendable {
  private let continuation: Monitor<CheckedContinuation<Result<R, TokenStoreProblem>, Never>?>

  init(_ continuation: CheckedContinuation<Result<R, TokenStoreProblem>, Never>) {
    self.continuation = Monitor(continuation)
  }

  /// Resumes with `result`; false if it was resumed before.
  func resume(with result: Result<R, TokenStoreProblem>) -> Bool {
    let waiting = continuation.withLock { continuation in
      defer { continuation = nil }
      return continuation
    }
    guard let waiting else { return false }
    waiting.resume(returning: result)
    return true
  }
}
