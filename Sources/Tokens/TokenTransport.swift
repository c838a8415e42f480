/// Sends one request to a token endpoint and waits for the whole reply, or for `request.timeout`, whatever is sooner.
///
/// It always returns: a fetch that never ends would leave everybody waiting.
public typealias TokenTransport =
  @Sendable (_ request: TokenHTTPRequest) async -> Result<TokenHTTPResponse, TokenTransportError>

/// Why there is no reply from a token endpoint. The details are for people and must hold no secret; they are
/// shortened and stripped of unprintable bytes before anybody sees them.
public enum TokenTransportError: Error, Hashable, Sendable {
  /// The host's name could not be resolved.
  case nameNotResolved(detail: String)
  /// No connection, or it ended before the reply did.
  case unreachable(detail: String)
  /// The TLS handshake failed, or the certificate is not to be trusted.
  case tls(detail: String)
  /// The reply was not complete in time.
  case timedOut(detail: String)
  /// The client's own certificate or its key cannot be used.
  case unusable(detail: String)
}
