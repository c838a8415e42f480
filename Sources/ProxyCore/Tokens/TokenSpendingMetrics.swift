internal import Telemetry
internal import Tokens

extension MetricsRegistry {
  /// Shows what the tokens of `client` add up to.
  func register(_ client: TokenClient) {
    let spending = client.spending
    counter(
      "m2m_proxy_tokens_issued_total", help: "Tokens that token endpoints issued, of use or not.",
      labels: ["credentials": client.name]
    ) { Double(spending.sinceStart) }
    for period in TokenPeriod.allCases {
      gauge(
        "m2m_proxy_tokens_issued", help: "Tokens issued in the running hour, day and month (UTC).",
        labels: ["credentials": client.name, "period": period.rawValue]
      ) { Double(spending.issued(in: period, atWallSeconds: TokenClock.system.wallSeconds)) }
    }
    if let budget = spending.budget {
      gauge(
        "m2m_proxy_token_budget", help: "Tokens that the budget allows in each period.",
        labels: ["credentials": client.name, "period": budget.period.rawValue]
      ) { Double(budget.tokens) }
    }
  }
}
