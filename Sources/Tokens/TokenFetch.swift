/// One fetch: a request, and one more at once when the first failed in a way that may be passing.
struct TokenFetch {
  let grant: TokenGrant
  let clock: TokenClock
  let transport: TokenTransport

  /// What came of it.
  struct Report {
    let outcome: Result<AccessToken, FailedFetch>
    let took: Duration
    let attempts: Int
  }

  func run() async -> Report {
    let began = clock.now
    let deadline = began.advanced(by: TokenHTTPRequest.longestWait)
    var attempts = 1
    var outcome = await attempt(until: deadline)
    if case .failure(let failed) = outcome, failed.cause.mayBePassing, (failed.serverAsksToWait ?? .zero) == .zero,
      clock.now < deadline
    {
      attempts = 2
      outcome = await attempt(until: deadline)
    }
    return Report(outcome: outcome, took: began.duration(to: clock.now), attempts: attempts)
  }

  private func attempt(until deadline: TokenInstant) async -> Result<AccessToken, FailedFetch> {
    let sent = TokenReplyReader.Moment(instant: clock.now, wallSeconds: clock.wallSeconds)
    let request: TokenHTTPRequest
    do {
      request = try grant.request(timeout: sent.instant.duration(to: deadline), wallSeconds: sent.wallSeconds)
    } catch {
      return .failure(FailedFetch(error))
    }
    switch await transport(request) {
    case .failure(let error):
      return .failure(FailedFetch(TokenFailure.Cause(error)))
    case .success(let response):
      switch TokenReplyReader(response: response, grant: grant, sent: sent).outcome() {
      case .success(let token) where !token.isUsable(at: clock.now):
        return .failure(FailedFetch(.malformed(.expiredToken)))
      case let outcome:
        return outcome
      }
    }
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
    }
  }
}
