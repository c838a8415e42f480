import Secrets

/// What a token endpoint's reply means (RFC 6749, 5.1 and 5.2).
struct TokenReply {
  /// When something happened, on both clocks.
  struct Moment {
    let instant: TokenInstant
    let wallSeconds: Int64
  }

  let outcome: Result<AccessToken, FailedFetch>

  /// Reads `response` to a request for `grant` that was sent at `sent`.
  init(_ response: TokenHTTPResponse, to grant: TokenGrant, sent: Moment) {
    let reader = TokenReplyReader(response: response, grant: grant, sent: sent)
    do {
      outcome = .success(try reader.token())
    } catch {
      outcome = .failure(FailedFetch(error, serverAsksToWait: reader.serverAsksToWait(after: error)))
    }
  }
}
