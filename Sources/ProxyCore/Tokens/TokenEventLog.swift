internal import Locks
internal import Secrets
internal import Synchronization
internal import Telemetry
internal import Tokens

/// Writes a log line and counts, for every token that was fetched or could not be.
final class TokenEventLog: Sendable {
  /// How many fetches there were.
  let totals = TokenTotals()

  private let logger: EventLog
  private let registry: MetricsRegistry
  private let counters = Monitor<[String: Counter]>([:])
  // At most as many as proxy.conf has different token requests, for each kind of remark.
  private let remarked = Monitor<Set<String>>([])

  init(logger: EventLog, registry: MetricsRegistry) {
    self.logger = logger
    self.registry = registry
  }

  func record(_ event: TokenEvent) {
    var fields: EventLog.Fields = [
      .credentials: "\(event.request.credentials)", .reason: "\(event.reason.rawValue)",
      .took: .duration(event.took), .fetchedToday: .number(event.fetchedToday),
    ]
    if let audience = event.request.audience { fields[.audience] = "\(audience)" }
    if !event.request.resources.isEmpty {
      fields[.resource] = "\(event.request.resources.joined(separator: " "))"
    }
    if !event.request.scopes.isEmpty { fields[.scopes] = "\(event.request.scopes.joined(separator: " "))" }
    if event.source == .store { fields[.source] = "store" }
    if event.secret == .previous { fields[.secret] = "previous" }
    let result: String
    switch event.outcome {
    case .fetched(let lifetime):
      result = "ok"
      fields[.result] = "ok"
      fields[.lifetime] = .duration(lifetime)
      let remarks = news(event.remarks, event.request)
      if remarks.isEmpty {
        logger.info(.token, fields)
      } else {
        let host = event.request.endpointHost
        fields[.error] = "\(remarks.map(\.name).joined(separator: " "))"
        fields[.detail] = "\(remarks.map { $0.detail(host) }.joined(separator: " "))"
        fields[.hint] = "\(remarks.map { $0.hint(host) }.joined(separator: " "))"
        logger.warning(.token, fields)
      }
    case .failed(let failure):
      result = failure.kind.rawValue
      fields[.result] = "failed"
      fields[.error] = "\(result)"
      fields[.detail] = "\(failure.detail)"
      fields[.hint] = "\(failure.hint)"
      logger.warning(.token, fields)
    }
    switch event.source {
    case .server:
      totals.count(isFetched: result == "ok")
      increment(.tokenFetches, [.credentials: event.request.credentials, .result: result])
    case .store: increment(.tokensFromStore, [.credentials: event.request.credentials])
    }
    for problem in event.secretProblems {
      logger.warning(
        .secret,
        [
          .credentials: "\(event.request.credentials)", .error: "secret_unreadable", .detail: "\(problem)",
          .hint: "The secret that was read before is used; fix the file before the proxy is started again.",
        ])
    }
    if event.secret == .previous, result == "ok" {
      logger.warning(
        .secret,
        [
          .credentials: "\(event.request.credentials)", .error: "secret_refused",
          .detail: "The token endpoint refuses client_secret; client_secret_previous still works",
          .hint: "Compare client_secret with what the authorization server has, before the previous one ends.",
        ])
    }
    if let alarm = event.alarm { record(alarm, event.request.credentials) }
  }

  /// A program that should print a secret of the client `credentials` did not.
  func record(_ problem: SecretError, credentials: String) {
    logger.warning(
      .secret,
      [
        .credentials: "\(credentials)", .error: "secret_program_failed", .detail: "\(problem)",
        .hint: "The secret that it printed before is used. Run the program by hand, as the user of the proxy.",
      ])
  }

  private func record(_ alarm: TokenBudget.Alarm, _ credentials: String) {
    let budget = alarm.budget
    let detail = "\(alarm.used) of the \(budget.tokens) tokens for this \(budget.period.rawValue) are used"
    let consequence =
      budget.stops
      ? "No token is fetched until the next \(budget.period.rawValue) once the budget is spent."
      : "Tokens are still fetched; when_spent: stop would prevent that."
    let fields: EventLog.Fields = [
      .credentials: "\(credentials)", .detail: "\(detail)", .hint: "\(consequence)",
      .error: alarm.isSpent ? "\(ErrorKind.Token.budgetSpent.rawValue)" : "token_budget_nearly_spent",
    ]
    logger.warning(.tokenBudget, fields)
  }

  /// Those of `remarks` that were not logged yet for this token request: the next token is most likely like this one.
  private func news(_ remarks: [TokenRemark], _ request: TokenRequestSummary) -> [TokenRemark] {
    guard !remarks.isEmpty else { return [] }
    return remarked.withLock { remarked in
      remarks.filter { remarked.insert("\($0.name) \(request)").inserted }
    }
  }

  /// The token store failed for `request`.
  func record(_ problem: TokenStoreProblem, _ request: TokenRequestSummary) {
    var fields: EventLog.Fields = [
      .credentials: "\(request.credentials)", .error: "\(problem.kind.rawValue)", .detail: "\(problem.detail)",
      .hint: "\(problem.hint)",
    ]
    if let audience = request.audience { fields[.audience] = "\(audience)" }
    logger.warning(.tokenStore, fields)
    increment(.tokenStoreProblems, [.kind: problem.kind.rawValue])
  }

  /// Series were removed: the next event registers its own again.
  func forgetCounters() { counters.withLock { $0 = [:] } }

  private func increment(_ metric: Metric, _ labels: MetricsRegistry.Labels) {
    let counter = counters.withLock { counters in
      let key = "\(metric) \(labels)"
      if let known = counters[key] { return known }
      let counter = registry.counter(metric, labels)
      counters[key] = counter
      return counter
    }
    counter.increment()
  }
}

/// How many tokens were fetched since the start, and how many could not be.
final class TokenTotals: Sendable {
  private let fetches = Atomic<Int>(0)
  private let failures = Atomic<Int>(0)

  var fetched: Int { fetches.load(ordering: .relaxed) }
  var failed: Int { failures.load(ordering: .relaxed) }

  fileprivate func count(isFetched: Bool) {
    if isFetched {
      fetches.wrappingAdd(1, ordering: .relaxed)
    } else {
      failures.wrappingAdd(1, ordering: .relaxed)
    }
  }
}

extension TokenRemark {
  fileprivate var name: String {
    switch self {
    case .clock: "token_clock"
    case .longToken: "token_long"
    }
  }

  fileprivate func detail(_ host: String) -> String {
    switch self {
    case .clock(let seconds):
      "By this machine's clock the token ends \(abs(seconds)) s \(seconds < 0 ? "sooner" : "later") than \(host) says "
        + "(expires_in); expires_in counts."
    case .longToken(let bytes): "The token has \(bytes) bytes, and many servers reject requests with so long a field."
    }
  }

  fileprivate func hint(_ host: String) -> String {
    switch self {
    case .clock: "Set the clock of this machine (timedatectl shows it), or that of \(host)."
    case .longToken: "Let \(host) put fewer claims into it, such as groups and roles."
    }
  }
}
