public import Secrets

/// A token as it is kept in a store: its times are those of the wall clock, which all processes have in common.
public struct StoredToken: Sendable, CustomReflectable {
  /// The token itself.
  public let token: Secret
  /// When it was asked for, in seconds since 1970.
  public let requestedAt: Int64
  /// How long it is valid from then on.
  public let lifetime: Duration

  /// A token made of its parts; nothing is checked.
  public init(token: Secret, requestedAt: Int64, lifetime: Duration) {
    self.token = token
    self.requestedAt = requestedAt
    self.lifetime = lifetime
  }

  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["requestedAt": requestedAt, "lifetime": lifetime]) }

  // A clock that was set back a little is no reason for distrust.
  private static let tolerance: Int64 = 2

  /// The token by this process's clocks at `now`; nil when its times cannot be right.
  func accessToken(at now: TokenMoment) -> AccessToken? {
    let age = now.wallSeconds.subtractingReportingOverflow(requestedAt)
    guard !age.overflow, age.partialValue >= -Self.tolerance, TokenLifetime.isPlausible(lifetime),
      token.withBytes(AccessToken.isSuitable)
    else { return nil }
    // Both times are whole seconds: the token may be up to one second older than they say.
    let longest = Duration.seconds(max(0, age.partialValue)) + .seconds(1)
    return AccessToken(
      token: token, lifetime: lifetime,
      requestedAt: TokenMoment(instant: now.instant.advanced(by: .zero - longest), wallSeconds: requestedAt))
  }
}

extension AccessToken {
  /// The token as it is kept in a store.
  var stored: StoredToken {
    StoredToken(token: token, requestedAt: requestedAt.wallSeconds, lifetime: lifetime)
  }

  /// Whether `other` is the same token, whoever brought it.
  func isSame(as other: AccessToken) -> Bool {
    self === other || token == other.token
  }
}
