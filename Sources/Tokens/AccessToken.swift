import Secrets

/// An access token, and the time it is good for.
public final class AccessToken: Sendable, CustomStringConvertible, CustomReflectable {
  /// The longest token that is accepted, in bytes; with it a head of ordinary fields still fits common limits.
  public static let longestToken = 16_384

  /// How long the token is valid, counted from ``requestedAt``.
  public let lifetime: Duration
  /// When the request was sent that brought it: the server cannot have issued it earlier.
  public let requestedAt: TokenMoment
  /// From here on the token is not sent any more: 10 s, or a quarter of a short lifetime, before it expires.
  public let unusableFrom: TokenMoment
  /// How long before the end of its lifetime a token that is in use is renewed: a fifth of the lifetime, at least
  /// 30 s and at most 300 s, but never more than half of it.
  public let renewalWindow: Duration

  /// The token itself.
  let token: Secret

  /// The token of these bytes, none of which may be anything but visible ASCII.
  init(token: Secret, lifetime: Duration, requestedAt: TokenMoment) {
    self.token = token
    self.lifetime = lifetime
    self.requestedAt = requestedAt
    unusableFrom = requestedAt.advanced(by: lifetime - min(.seconds(10), lifetime / 4))
    renewalWindow = min(max(lifetime / 5, .seconds(30)), .seconds(300), lifetime / 2)
  }

  /// Whether the token may be sent at `now`: neither clock says that its time is over.
  ///
  /// The wall clock has the last word where it was set forward, as after a machine was restored from a snapshot. It
  /// counts whole seconds, and is heard only where it is a second ahead of the other.
  public func isUsable(at now: TokenMoment) -> Bool {
    now.instant < unusableFrom.instant && now.wallSeconds <= unusableFrom.wallSeconds
  }

  /// When the token is renewed if it is in use; `random`, in 0...1, makes it earlier, so that those who started together
  /// do not ask together: by a quarter of the window, and a twentieth of the time until it, at most.
  func renewalTime(random: Double) -> TokenInstant {
    let untilWindow = lifetime - renewalWindow
    let jitter = min(renewalWindow / 4, untilWindow / 20) * random
    return requestedAt.instant.advanced(by: untilWindow - jitter)
  }

  /// Whether a token of these bytes can go on requests: visible ASCII, which covers the b64token of RFC 6750 and what is
  /// in use beyond, and no more of it than fits.
  static func isSuitable(_ token: Span<UInt8>) -> Bool {
    (1...longestToken).contains(token.count) && token.indices.allSatisfy { (0x21...0x7E).contains(token[$0]) }
  }

  /// Calls `body` with the token as it goes on requests, behind `Authorization: Bearer ` or what a route has for that;
  /// nothing is copied.
  public func withToken<R>(_ body: (Span<UInt8>) -> R) -> R { token.withBytes(body) }

  /// Says nothing of the token.
  public var description: String { "AccessToken(<redacted>)" }
  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["lifetime": lifetime]) }
}

/// How long a token is good for, from what the server says and what the token says; never so short or so long that
/// it cannot have been meant.
enum TokenLifetime {
  /// When neither the reply nor the token says how long.
  static let assumed: Duration = .seconds(3600)

  // Below a second, a token would be fetched for nearly every request; above a year, the number is most likely a date
  // or in milliseconds.
  private static let plausible = 1.0...(366 * 86_400)

  /// Whether a token can have been meant to be valid for so long.
  static func isPlausible(_ lifetime: Duration) -> Bool {
    plausible.contains(Double(lifetime.components.seconds))
  }

  /// The lifetime from the moment of the request: the shorter of `expiresIn` and of what is left until the JWT's
  /// `exp`, as far as they are plausible. Nil when the JWT has expired.
  ///
  /// - `expiresIn`: seconds, as the reply has them.
  /// - `expiry`: the `exp` of the JWT, seconds since 1970.
  /// - `reference`: the moment of the request in seconds since 1970, by the server's clock where it is known.
  static func lifetime(expiresIn: Double?, expiry: Double?, reference: Int64) -> Duration? {
    let left = expiry.map { certain($0 - Double(reference)) }
    if let left, left < plausible.lowerBound { return nil }
    let candidates = [expiresIn, left].compactMap { $0 }.filter(plausible.contains)
    return candidates.min().map { .seconds($0) } ?? assumed
  }

  /// What is left of `difference` whatever the fractions of a second are that neither of two dates has. From 4 s on, the
  /// quarter of a lifetime in which a token is not sent any more covers them.
  private static func certain(_ difference: Double) -> Double { difference < 4 ? difference - 1 : difference }
}
