import Secrets

/// An access token, and the time it is good for.
public final class AccessToken: Sendable, CustomStringConvertible, CustomReflectable {
  /// The longest token that is accepted, in bytes; with it a head of ordinary fields still fits common limits.
  public static let longestToken = 16_384

  /// How long the token is valid, counted from ``requestedAt``.
  public let lifetime: Duration
  /// When the request was sent that brought it: the server cannot have issued it earlier.
  public let requestedAt: TokenInstant
  /// From here on the token is not sent any more: 10 s, or a quarter of a short lifetime, before it expires.
  public let unusableFrom: TokenInstant

  private let token: Secret

  /// The token of these bytes, none of which may be anything but visible ASCII.
  init(token: Secret, lifetime: Duration, requestedAt: TokenInstant) {
    self.token = token
    self.lifetime = lifetime
    self.requestedAt = requestedAt
    unusableFrom = requestedAt.advanced(by: lifetime - min(.seconds(10), lifetime / 4))
  }

  /// Whether the token may be sent at `now`.
  public func isUsable(at now: TokenInstant) -> Bool { now < unusableFrom }

  /// Calls `body` with the token as it goes on requests, behind `Authorization: Bearer ` or what a route has for that;
  /// nothing is copied.
  public func withToken<R>(_ body: (Span<UInt8>) -> R) -> R { token.withBytes(body) }

  /// Says nothing of the token.
  public var description: String { "AccessToken(<redacted>)" }
  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["lifetime": lifetime]) }
}
