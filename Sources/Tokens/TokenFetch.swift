import Secrets

/// One fetch: a request; a retry at once if the failure may pass; and a request with the other secret if the server
/// rejects the first.
struct TokenFetch {
  let grant: TokenGrant
  let clock: TokenClock
  let transport: TokenTransport

  /// The result of a fetch.
  struct Report {
    var outcome: Result<AccessToken, FailedFetch>
    var source = TokenEvent.Source.server
    var took = Duration.zero
    var attempts = 0
    /// How many tokens the server has issued, usable or not.
    var issued = 0
    /// Which secret was used last.
    var secret: ClientSecrets.Place?
    var secretProblems: [SecretError] = []
    var secretGeneration = 0
  }

  func run() async -> Report {
    let began = clock.now
    let deadline = began.advanced(by: grant.timeout)
    if let refusal = grant.spending.refusal(atWallSeconds: clock.wallSeconds) {
      return Report(outcome: .failure(refusal))
    }
    grant.secrets?.refreshIfDue(at: began)
    var reading = grant.secrets?.read() ?? ClientSecrets.Reading(secrets: [(.current, grant.clientSecret)])
    var report = Report(outcome: .failure(FailedFetch(.unreachable(detail: ""))), secretProblems: reading.problems)
    report.secretGeneration = reading.generation
    await ask(by: reading.secrets, until: deadline, &report)
    if report.outcome.refusesClient, clock.now < deadline, let secrets = grant.secrets {
      await secrets.rerun(at: clock.now, within: clock.now.duration(to: deadline))
      let tried = reading.secrets
      reading = secrets.read()
      report.secretGeneration = reading.generation
      await ask(
        by: reading.secrets.filter { fresh in !tried.contains { $0.secret == fresh.secret } }, until: deadline, &report)
    }
    report.took = began.duration(to: clock.now)
    return report
  }

  /// Requests a token with one of `secrets` after the other until the server does not reject it.
  private func ask(
    by secrets: [(place: ClientSecrets.Place, secret: Secret)], until deadline: TokenInstant, _ report: inout Report
  ) async {
    for (place, secret) in secrets where clock.now < deadline {
      report.secret = place
      await ask(grant.authenticated(by: secret), until: deadline, &report)
      guard report.outcome.refusesClient else { break }
    }
  }

  private func ask(_ grant: TokenGrant, until deadline: TokenInstant, _ report: inout Report) async {
    let lead = grant.serverClock.lead(at: clock.moment)
    await attempt(grant, until: deadline, &report)
    // The rejection itself may have shown that the assertion's dates do not fit the server's clock.
    if case .privateKeyJWT = grant.key.authentication, case .failure(let failed) = report.outcome,
      case .refused = failed.cause, clock.now < deadline,
      abs(grant.serverClock.lead(at: clock.moment) - lead) > ServerClock.tolerance
    {
      await attempt(grant, until: deadline, &report)
    }
    if case .failure(let failed) = report.outcome, failed.cause.mayBePassing,
      (failed.serverAsksToWait ?? .zero) == .zero, clock.now < deadline
    {
      await attempt(grant, until: deadline, &report)
    }
  }

  private func attempt(_ grant: TokenGrant, until deadline: TokenInstant, _ report: inout Report) async {
    let sent = clock.moment
    let proven: TokenGrant
    do {
      proven = try grant.proven(at: sent.wallSeconds + grant.serverClock.lead(at: sent))
    } catch {
      report.outcome = .failure(FailedFetch(error))
      return
    }
    report.attempts += 1
    switch await transport(proven.provenRequest(timeout: sent.instant.duration(to: deadline))) {
    case .failure(let error):
      report.outcome = .failure(FailedFetch(TokenFailure.Cause(error)))
    case .success(let response):
      grant.serverClock.note(response.date, at: clock.moment)
      let reader = TokenReplyReader(response: response, grant: proven, sent: sent, received: clock.wallSeconds)
      report.outcome = reader.outcome()
      if report.outcome.hasCostAToken { report.issued += 1 }
    }
  }
}

extension Result<AccessToken, FailedFetch> {
  /// Whether the server rejects the client's secret.
  fileprivate var refusesClient: Bool {
    guard case .failure(let failed) = self, case .refused(let refusal) = failed.cause else { return false }
    return refusal.code == .invalidClient
  }

  /// Whether a token was issued, usable or not.
  fileprivate var hasCostAToken: Bool {
    guard case .failure(let failed) = self else { return true }
    if case .malformed(let reply) = failed.cause { return reply.meansThatOneWasIssued }
    return false
  }
}

extension TokenFailure.Cause {
  fileprivate init(_ error: TokenTransportError) {
    switch error {
    case .nameNotResolved(let detail): self = .nameNotResolved(detail: PrintableText.cleaned(detail))
    case .unreachable(let detail): self = .unreachable(detail: PrintableText.cleaned(detail))
    case .tls(let detail): self = .tls(detail: PrintableText.cleaned(detail))
    case .timedOut(let detail): self = .timedOut(detail: PrintableText.cleaned(detail))
    case .unusable(let detail): self = .unusable(detail: PrintableText.cleaned(detail))
    case .notHTTP(let foreign): self = .malformed(.notHTTP(foreign))
    }
  }
}

/// A fetch without a token: why, and how long the server asks to be left alone.
struct FailedFetch: Error, Hashable {
  let cause: TokenFailure.Cause
  /// From Retry-After or RateLimit-Reset.
  var serverAsksToWait: Duration?

  init(_ cause: TokenFailure.Cause, serverAsksToWait: Duration? = nil) {
    self.cause = cause
    self.serverAsksToWait = serverAsksToWait
  }
}

/// Sends one request to a token endpoint and waits for the whole reply, or for `request.timeout`, whichever is sooner.
///
/// It always returns: a fetch that never ends would block all waiting requests.
public typealias TokenTransport =
  @Sendable (_ request: TokenHTTPRequest) async -> Result<TokenHTTPResponse, TokenTransportError>

/// Why there is no reply from a token endpoint. The details are for people and must contain no secret; they are
/// shortened and stripped of unprintable bytes before they are shown.
public enum TokenTransportError: Error, Hashable, Sendable {
  /// The host's name could not be resolved.
  case nameNotResolved(detail: String)
  /// No connection, or it ended before the reply did.
  case unreachable(detail: String)
  /// The TLS handshake failed, or the certificate is not trusted.
  case tls(detail: String)
  /// The reply was not complete in time.
  case timedOut(detail: String)
  /// What arrived instead of a reply is not HTTP/1.
  case notHTTP(MalformedReply.Foreign)
  /// The client's own certificate or its key cannot be used.
  case unusable(detail: String)
}
