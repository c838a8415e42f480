extension TokenFailure {
  /// What happened, in a few words: the title of a problem body (RFC 9457).
  public var title: String {
    switch cause.root {
    case .refused: "The token endpoint refused"
    case .malformed: "The token endpoint's answer is not a token"
    case .redirected: "The token endpoint redirects"
    case .serverError: "The token endpoint failed"
    case .throttled: "The token endpoint limits how often it is asked"
    case .nameNotResolved, .unreachable: "The token endpoint cannot be reached"
    case .tls: "No secure connection to the token endpoint"
    case .timedOut: "The token endpoint did not answer in time"
    case .unusable: "The client's key or certificate cannot be used"
    case .budgetSpent: "The token budget is spent"
    case .backingOff: preconditionFailure("the root of a cause is no back-off")
    }
  }

  /// What happened exactly, in one or two sentences.
  public var detail: String {
    guard case .backingOff(let cause) = cause, !cause.isOwnDecision else { return Self.sentence(for: cause, request) }
    return "\(Self.sentence(for: cause.root, request)) It is asked again in \(secondsToNextAttempt) s."
  }

  private static func sentence(for cause: Cause, _ request: TokenRequestSummary) -> String {
    let host = request.endpointHost
    let purpose =
      request.audience.map { " for the audience \($0)" }
      ?? (request.resources.isEmpty ? "" : " for the resource \(request.resources.joined(separator: " "))")
    switch cause {
    case .refused(let refusal):
      let answer = refusal.reportedCode ?? "with status \(refusal.status) and no OAuth error"
      let quote = refusal.description.map { " It says: \"\($0)\"" } ?? ""
      return "\(host) answered \(answer)\(purpose).\(quote)"
    case .malformed(let reply):
      return "\(host) answered, but with \(reply.noun)."
    case .redirected(let status):
      return "\(host) answered with the redirect \(status), which is not followed: "
        + "the client's credentials go to the configured address only."
    case .serverError(let status):
      return "\(host) answered with status \(status)\(purpose)."
    case .throttled:
      return "\(host) answered with status 429: it was asked too often."
    case .nameNotResolved(let detail):
      return "The name of \(host) could not be resolved\(appended(detail))."
    case .unreachable(let detail):
      return "There was no connection to \(host), or it broke\(appended(detail))."
    case .tls(let detail):
      return "The TLS connection to \(host) failed\(appended(detail))."
    case .timedOut(let detail):
      return "\(host) did not answer in time\(appended(detail))."
    case .unusable(let detail):
      return "\(host) was not asked: \(detail)."
    case .budgetSpent(let budget):
      return "The credentials \(request.credentials) have had the \(budget.tokens) tokens of their budget for this "
        + "\(budget.period.rawValue), and no more are fetched until the next."
    case .backingOff(let cause):
      return sentence(for: cause, request)
    }
  }

  private static func appended(_ detail: String) -> String { detail.isEmpty ? "" : ": \(detail)" }
}

extension MalformedReply {
  /// What the reply is, to follow "answered, but with".
  var noun: String {
    switch self {
    case .empty: "an empty body"
    case .tooLong: "more than \(TokenHTTPResponse.longestBody / 1024) KB"
    case .html: "a web page"
    case .notJSON: "something that is not complete JSON"
    case .notAnObject: "JSON that is no object"
    case .repeatedMember: "JSON that has a member twice"
    case .noToken: "no access_token in it"
    case .tokenTooLong: "a token longer than \(AccessToken.longestToken / 1024) KB"
    case .unsuitableToken: "a token that holds bytes no header field may have"
    case .unsupportedTokenType: "a token_type that is not Bearer"
    case .expiredToken: "a token that has already expired"
    case .unexpectedStatus(let status): "status \(status) instead of 200"
    }
  }
}
