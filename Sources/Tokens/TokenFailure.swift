/// Why there is no token: what happened, without advice on how to fix it.
public struct TokenFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Cause: Error, Hashable, Sendable {
    /// The server rejected the request.
    case refused(OAuthRefusal)
    /// The server replied, but not with a token.
    case malformed(MalformedReply)
    /// The server replied with a redirect, which is not followed.
    case redirected(status: Int)
    /// The server replied with a status of 500 or more.
    case serverError(status: Int)
    /// The server limits the rate of requests (429).
    case throttled
    /// The host's name could not be resolved.
    case nameNotResolved(detail: String)
    /// No connection, or it broke.
    case unreachable(detail: String)
    /// TLS failed, or the certificate is not trusted.
    case tls(detail: String)
    /// No complete reply in time.
    case timedOut(detail: String)
    /// No request was sent: the client's own key, certificate or assertion cannot be used.
    case unusable(detail: String)
    /// No request was sent: the client has used up its budget of tokens.
    case budgetSpent(TokenBudget)
    /// No request was sent: the last attempt failed with this cause, and it is too soon for the next.
    indirect case backingOff(after: Cause)
  }

  /// What went wrong.
  public let cause: Cause
  /// What was requested.
  public let request: TokenRequestSummary
  /// Seconds until the next token request, at least 1.
  public let secondsToNextAttempt: Int

  /// A failure made of its parts.
  public init(cause: Cause, request: TokenRequestSummary, secondsToNextAttempt: Int) {
    self.cause = cause
    self.request = request
    self.secondsToNextAttempt = secondsToNextAttempt
  }
}

extension TokenFailure.Cause {
  /// The cause in a few words, in plain ASCII without quotes; of a refusal, its code.
  public var label: String {
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
    case .unusable: "no request sent, the client's key, certificate or assertion cannot be used"
    case .budgetSpent: "token budget spent"
    case .backingOff(let cause): "\(cause.label), next request later"
    }
  }

  /// The cause behind a back-off, or this one.
  public var root: TokenFailure.Cause {
    if case .backingOff(let cause) = self { cause.root } else { self }
  }

  /// Whether another secret may be all that is needed.
  var isFixableByRotation: Bool {
    switch self {
    case .refused(let refusal): refusal.code.needsOperator || refusal.status == 401
    case .unusable: true
    default: false
    }
  }

  /// Whether the token endpoint was not involved.
  var isOwnDecision: Bool {
    if case .budgetSpent = root { true } else { false }
  }

  /// Whether one retry at once is worth it, before the client gets an error.
  var mayBePassing: Bool {
    switch self {
    case .nameNotResolved, .unreachable, .serverError: true
    case .malformed(let reply): reply.mayBePassing
    case .refused, .redirected, .throttled, .tls, .timedOut, .unusable, .budgetSpent, .backingOff: false
    }
  }
}

extension TokenFailure {
  /// What exactly happened, in one or two sentences.
  public var detail: String {
    guard case .backingOff(let cause) = cause, !cause.isOwnDecision else { return Self.sentence(for: cause, request) }
    return "\(Self.sentence(for: cause.root, request)) The next attempt is in \(secondsToNextAttempt) s."
  }

  private static func sentence(for cause: Cause, _ request: TokenRequestSummary) -> String {
    let host = request.endpointHost
    let purpose =
      request.audience.map { " for the audience \($0)" }
      ?? (request.resources.isEmpty ? "" : " for the resource \(request.resources.joined(separator: " "))")
    switch cause {
    case .refused(let refusal):
      let answer = refusal.reportedCode ?? "status \(refusal.status) and no OAuth error"
      let quote = refusal.description.map { " It says: \"\($0)\"" } ?? ""
      return "\(host) responded with \(answer)\(purpose).\(quote)"
    case .malformed(let reply):
      return "\(host) responded, but with \(reply.noun)."
    case .redirected(let status):
      return "\(host) responded with the redirect \(status), which the proxy does not follow: "
        + "the client's credentials go to the configured address only."
    case .serverError(let status):
      return "\(host) responded with status \(status)\(purpose)."
    case .throttled:
      return "\(host) responded with status 429: too many requests."
    case .nameNotResolved(let detail):
      return "The name of \(host) could not be resolved\(appended(detail))."
    case .unreachable(let detail):
      return "There was no connection to \(host), or it broke\(appended(detail))."
    case .tls(let detail):
      return "The TLS connection to \(host) failed\(appended(detail))."
    case .timedOut(let detail):
      return "\(host) did not respond in time\(appended(detail))."
    case .unusable(let detail):
      return "No request was sent to \(host): \(detail)."
    case .budgetSpent(let budget):
      return "The credentials \(request.credentials) have used the \(budget.tokens) tokens of their budget for this "
        + "\(budget.period.rawValue): no more are fetched until the next."
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
    case .notAnObject: "JSON that is not an object"
    case .repeatedMember: "JSON that has a member twice"
    case .undecodable(let coding?, let detail):
      "a body that cannot be decoded; its Content-Encoding is \(coding): \(detail)"
    case .undecodable(nil, let detail): "a body that cannot be decoded: \(detail)"
    case .notHTTP(.http2): "HTTP/2 frames: at this address it speaks HTTP/2 only, without TLS"
    case .notHTTP(.tls): "the error of an https server for plain HTTP (the URL begins with http)"
    case .notHTTP(.unknown): "something that is not HTTP"
    case .noToken: "JSON without a valid access_token"
    case .tokenTooLong: "a token longer than \(AccessToken.longestToken / 1024) KB"
    case .unsuitableToken: "a token that holds bytes no header field may have"
    case .unsupportedTokenType: "a token_type that is not Bearer"
    case .expiredToken: "a token that has already expired"
    case .unexpectedStatus(let status): "status \(status), which no final response has"
    }
  }
}
