extension TokenFailure.Cause {
  /// The cause in one or few words; of a refusal, its code.
  var label: String {
    switch self {
    case .refused(let refusal) where refusal.code == .other: "refused with status \(refusal.status)"
    case .refused(let refusal): refusal.code.rawValue
    case .malformed: "malformed reply"
    case .redirected(let status): "redirect \(status)"
    case .serverError(let status): "status \(status)"
    case .throttled: "status 429"
    case .nameNotResolved: "name not resolved"
    case .unreachable: "unreachable"
    case .tls: "TLS failed"
    case .timedOut: "timed out"
    case .unusable: "not asked, the client's key or certificate cannot be used"
    case .budgetSpent: "token budget spent"
    case .backingOff(let cause): "\(cause.label), not asked again yet"
    }
  }

  var metricLabel: String {
    switch self {
    case .refused: "token_refused"
    case .malformed: "token_malformed"
    case .redirected: "token_redirected"
    case .serverError: "token_server_error"
    case .throttled: "token_throttled"
    case .nameNotResolved: "token_name_not_resolved"
    case .unreachable: "token_unreachable"
    case .tls: "token_tls"
    case .timedOut: "token_timed_out"
    case .unusable: "token_unusable_credentials"
    case .budgetSpent: "token_budget_spent"
    case .backingOff: "token_backing_off"
    }
  }

  /// The cause behind a back-off, or this one.
  var root: TokenFailure.Cause {
    if case .backingOff(let cause) = self { cause.root } else { self }
  }

  /// Whether another secret may be all that is wanted.
  var mayBeMendedByRotation: Bool {
    if case .refused(let refusal) = self { refusal.code.needsMending || refusal.status == 401 } else { false }
  }

  /// Whether the token endpoint had no part in it.
  var isOwnDecision: Bool {
    if case .budgetSpent = root { true } else { false }
  }

  /// Whether one more attempt at once, in place of an answer to the client, is worth it.
  var mayBePassing: Bool {
    switch self {
    case .nameNotResolved, .unreachable, .serverError: true
    case .malformed(let reply): reply.mayBePassing
    case .refused, .redirected, .throttled, .tls, .timedOut, .unusable, .budgetSpent, .backingOff: false
    }
  }
}
