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
