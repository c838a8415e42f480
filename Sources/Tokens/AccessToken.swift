import Secrets

/// An access token, kept as the line that goes on requests, and the time it is good for.
public final class AccessToken: Sendable, CustomStringConvertible, CustomReflectable {
  /// The longest token that is accepted, in bytes; with it a head of ordinary fields still fits common limits.
  public static let longestToken = 16_384

  /// How long the token is valid, counted from ``requestedAt``.
  public let lifetime: Duration
  /// When the request was sent that brought it: the server cannot have issued it earlier.
  public let requestedAt: TokenInstant
  /// From here on the token is not sent any more: 10 s, or a quarter of a short lifetime, before it expires.
  public let unusableFrom: TokenInstant

  private let line: Secret

  /// A token whose `line` is a complete Authorization field line.
  init(line: Secret, lifetime: Duration, requestedAt: TokenInstant) {
    self.line = line
    self.lifetime = lifetime
    self.requestedAt = requestedAt
    unusableFrom = requestedAt.advanced(by: lifetime - min(.seconds(10), lifetime / 4))
  }

  /// Whether the token may be sent at `now`.
  public func isUsable(at now: TokenInstant) -> Bool { now < unusableFrom }

  /// Calls `body` with `Authorization: Bearer <token>` and the line's end, CR LF; nothing is copied.
  public func withAuthorizationLine<R>(_ body: (Span<UInt8>) -> R) -> R { line.withBytes(body) }

  /// Says nothing of the token.
  public var description: String { "AccessToken(<redacted>)" }
  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["lifetime": lifetime]) }
}
