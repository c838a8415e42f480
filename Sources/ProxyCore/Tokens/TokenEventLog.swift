internal import Locks
internal import Logging
internal import Telemetry
internal import Tokens

/// A log line and a counter for every token that was fetched, or could not be.
final class TokenEventLog: Sendable {
  private let logger: Logger
  private let registry: MetricsRegistry
  private let counters = Monitor<[String: Counter]>([:])

  init(logger: Logger, registry: MetricsRegistry) {
    self.logger = logger
    self.registry = registry
  }

  func record(_ event: TokenEvent) {
    var metadata: Logger.Metadata = [
      "credentials": "\(event.request.credentials)", "reason": "\(event.reason.rawValue)",
      "took": .stringConvertible(event.took), "fetched_today": .stringConvertible(event.fetchedToday),
    ]
    if let audience = event.request.audience { metadata["audience"] = "\(audience)" }
    if !event.request.resources.isEmpty {
      metadata["resource"] = "\(event.request.resources.joined(separator: " "))"
    }
    if !event.request.scopes.isEmpty { metadata["scopes"] = "\(event.request.scopes.joined(separator: " "))" }
    if event.source == .store { metadata["source"] = "store" }
    if event.secret == .previous { metadata["secret"] = "previous" }
    let result: String
    switch event.outcome {
    case .fetched(let lifetime):
      result = "ok"
      metadata["result"] = "ok"
      metadata["lifetime"] = .stringConvertible(lifetime)
      logger.info("token", metadata: metadata)
    case .failed(let failure):
      result = failure.kind.rawValue
      metadata["result"] = "failed"
      metadata["error"] = "\(result)"
      metadata["detail"] = "\(failure.detail)"
      metadata["hint"] = "\(failure.hint)"
      logger.warning("token", metadata: metadata)
    }
    switch event.source {
    case .server: count(event.request.credentials, result)
    case .store: countFromStore(event.request.credentials)
    }
    for problem in event.secretProblems {
      logger.warning(
        "secret",
        metadata: [
          "credentials": "\(event.request.credentials)", "error": "secret_unreadable", "detail": "\(problem)",
          "hint": "The secret that was read before is used; fix the file before the proxy is started again.",
        ])
    }
    if event.secret == .previous, result == "ok" {
      logger.warning(
        "secret",
        metadata: [
          "credentials": "\(event.request.credentials)", "error": "secret_refused",
          "detail": "The token endpoint refuses client_secret; client_secret_previous still works",
          "hint": "Compare client_secret with what the authorization server has, before the previous one ends.",
        ])
    }
    if let alarm = event.alarm { record(alarm, event.request.credentials) }
  }

  private func record(_ alarm: TokenBudget.Alarm, _ credentials: String) {
    let budget = alarm.budget
    let detail = "\(alarm.used) of the \(budget.tokens) tokens for this \(budget.period.rawValue) are used"
    let consequence =
      budget.stops
      ? "No token is fetched until the next \(budget.period.rawValue) once the budget is spent."
      : "Tokens are still fetched; when_spent: stop would prevent that."
    let metadata: Logger.Metadata = [
      "credentials": "\(credentials)", "detail": "\(detail)", "hint": "\(consequence)",
      "error": alarm.isSpent ? "\(ErrorKind.Token.budgetSpent.rawValue)" : "token_budget_nearly_spent",
    ]
    logger.warning("token_budget", metadata: metadata)
  }

  /// The token store was of no help with `request`.
  func record(_ problem: TokenStoreProblem, _ request: TokenRequestSummary) {
    var metadata: Logger.Metadata = [
      "credentials": "\(request.credentials)", "error": "\(problem.kind.rawValue)", "detail": "\(problem.detail)",
      "hint": "\(problem.hint)",
    ]
    if let audience = request.audience { metadata["audience"] = "\(audience)" }
    logger.warning("token_store", metadata: metadata)
    increment(
      "m2m_proxy_token_store_problems_total", "Times that the token store was of no help, by the kind of trouble.",
      ["kind": problem.kind.rawValue])
  }

  private func count(_ credentials: String, _ result: String) {
    increment(
      "m2m_proxy_token_fetches_total", "Requests to token endpoints, by what came of them.",
      ["credentials": credentials, "result": result])
  }

  private func countFromStore(_ credentials: String) {
    increment(
      "m2m_proxy_tokens_from_store_total", "Tokens that the token store had, so that none was fetched.",
      ["credentials": credentials])
  }

  private func increment(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String>) {
    let counter = counters.withLock { counters in
      let key = "\(name) \(labels)"
      if let known = counters[key] { return known }
      let counter = registry.counter(name, help: help, labels: labels)
      counters[key] = counter
      return counter
    }
    counter.increment()
  }
}
