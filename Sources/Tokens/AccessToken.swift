import Secrets
import Synchronization

/// An access token, and how long it is valid.
public final class AccessToken: Sendable, CustomStringConvertible, CustomReflectable {
  /// The longest token that is accepted, in bytes.
  public static let longestToken = 32 * 1024
  /// Many servers reject heads with longer tokens than this, in bytes.
  static let longestUsualToken = 8 * 1024

  /// How long the token is valid, counted from ``requestedAt``.
  public let lifetime: Duration
  /// When its request was sent: the server cannot have issued it earlier.
  public let requestedAt: TokenMoment
  /// From here on the token is no longer sent: 10 s, or a quarter of a short lifetime, before it expires.
  public let unusableFrom: TokenMoment
  /// How long before the end of its lifetime a token that is in use is renewed: a fifth of the lifetime, at least
  /// 30 s and at most 300 s, but never more than half of it.
  public let renewalWindow: Duration

  // How often the API has accepted it, as far as that is counted.
  private let acceptances = Atomic<UInt32>(0)
  private static let acceptancesOnTrial: UInt32 = 64

  /// Whether the API's acceptance of it still matters. Costs one load.
  var isOnTrial: Bool { acceptances.load(ordering: .relaxed) < Self.acceptancesOnTrial }

  func countAcceptance() {
    if isOnTrial { acceptances.wrappingAdd(1, ordering: .relaxed) }
  }

  /// What is worth a warning about it.
  public let remarks: [TokenRemark]
  /// Whether neither the reply nor the token stated its lifetime.
  let isLifetimeAssumed: Bool

  /// The token itself.
  let token: Secret

  /// The token of these bytes, all of which must be visible ASCII.
  init(
    token: Secret, lifetime: Duration, requestedAt: TokenMoment, isLifetimeAssumed: Bool = false,
    remarks: [TokenRemark] = []
  ) {
    self.token = token
    self.isLifetimeAssumed = isLifetimeAssumed
    self.remarks = remarks
    self.lifetime = lifetime
    self.requestedAt = requestedAt
    unusableFrom = requestedAt.advanced(by: lifetime - min(.seconds(10), lifetime / 4))
    renewalWindow = min(max(lifetime / 5, .seconds(30)), .seconds(300), lifetime / 2)
  }

  /// Whether the token may be sent at `now`: neither clock says that its time is over.
  ///
  /// The wall clock decides if it was set forward, for example after a machine was restored from a snapshot. It counts
  /// whole seconds, so it matters only if it is a second ahead of the other.
  public func isUsable(at now: TokenMoment) -> Bool {
    now.instant < unusableFrom.instant && now.wallSeconds <= unusableFrom.wallSeconds
  }

  /// The same token, valid no longer than `other`, which is the same one: a server that sends a token again may state
  /// the lifetime of a new one.
  func limited(by other: AccessToken) -> AccessToken {
    let end = requestedAt.instant.duration(to: other.requestedAt.instant.advanced(by: other.lifetime))
    guard !other.isLifetimeAssumed, end < lifetime else { return self }
    return AccessToken(
      token: token, lifetime: max(.zero, end), requestedAt: requestedAt, isLifetimeAssumed: isLifetimeAssumed,
      remarks: remarks)
  }

  /// When the token is renewed if it is in use. `random`, in 0...1, makes it earlier, so that processes that started
  /// together do not request together: by a quarter of the window, and a twentieth of the time until it, at most.
  func renewalTime(random: Double) -> TokenInstant {
    let untilWindow = lifetime - renewalWindow
    let jitter = min(renewalWindow / 4, untilWindow / 20) * random
    return requestedAt.instant.advanced(by: untilWindow - jitter)
  }

  /// Whether a token of these bytes can be sent: not too long, and visible ASCII, which covers the b64token of RFC 6750
  /// and what is in use beyond it.
  static func isSuitable(_ token: Span<UInt8>) -> Bool {
    (1...longestToken).contains(token.count) && token.indices.allSatisfy { (0x21...0x7E).contains(token[$0]) }
  }

  /// Calls `body` with the token as it goes on requests, after `Authorization: Bearer ` or the route's replacement for
  /// that; copies nothing.
  public func withToken<R>(_ body: (Span<UInt8>) -> R) -> R { token.withBytes(body) }

  /// Shows nothing of the token.
  public var description: String { "AccessToken(<redacted>)" }
  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["lifetime": lifetime]) }
}

/// What the operator should know about a token that was fetched.
public enum TokenRemark: Hashable, Sendable {
  /// The reply and the token disagree by this many seconds about when it ends: a clock is wrong.
  case clock(seconds: Int)
  /// It is so long that many servers reject the head of a request with it.
  case longToken(bytes: Int)
}

/// How long a token is valid, from what the server says and what the token says.
///
/// `expires_in` decides. The claim `exp` of a JWT is by the server's clock, so it shortens a lifetime only if the reply
/// has that clock's time (`Date`).
struct TokenLifetime {
  /// Counted from when the request was sent; zero for a token whose time is over at once.
  let duration: Duration
  /// Whether neither the reply nor the token says how long.
  private(set) var isAssumed = false
  /// Whether it had expired when the server sent it, by the server's own clock.
  private(set) var isExpired = false
  private(set) var remarks: [TokenRemark] = []

  /// The lifetime if neither the reply nor the token says how long.
  static let assumed: Duration = .seconds(3600)

  // Below a second, a token would be fetched for nearly every request; above a year, the number is most likely a date
  // or in milliseconds.
  private static let plausible = 1.0...(366 * 86_400)
  // Servers count the seconds of a token's life from different moments.
  private static let usualDisagreement = 60.0

  /// Whether a token can have been meant to be valid for this long.
  static func isPlausible(_ lifetime: Duration) -> Bool {
    plausible.contains(Double(lifetime.components.seconds))
  }

  /// The lifetime of a token.
  ///
  /// - Parameters:
  ///   - expiresIn: seconds, as the reply has them.
  ///   - claims: those of the token; nil if it is not a JWT.
  ///   - date: when the reply was made, by the server's clock, in seconds since 1970; nil if the reply does not say.
  ///   - sent: when the request was sent, by this machine's clock.
  init(expiresIn: Double?, claims: WebToken?, date: Int64?, sent: Int64) {
    let left = claims?.expiry.map { Self.certain($0 - Double(date ?? sent)) }
    let stated = expiresIn.flatMap { $0 <= Self.plausible.upperBound ? max(0, $0) : nil }
    if let stated, stated < Self.plausible.lowerBound {
      // It has expired, unless the token says that it has not.
      duration = left.flatMap { Self.plausible.contains($0) ? .seconds($0) : nil } ?? .zero
      return
    }
    if let left, let stated, abs(left - stated) > Self.usualDisagreement, date == nil || left < 1 {
      remarks = [.clock(seconds: Int(left - stated))]
    }
    let believed = left.flatMap { Self.plausible.contains($0) ? $0 : nil }
    if let stated {
      duration = .seconds(date == nil ? stated : min(stated, believed ?? stated))
      return
    }
    // The token's own dates come from one clock, the server's.
    if date == nil, let expiry = claims?.expiry, let begin = claims?.issuedAt, Self.plausible.contains(expiry - begin) {
      if abs(expiry - begin - (left ?? 0)) > Self.usualDisagreement {
        remarks = [.clock(seconds: Int((left ?? 0) - (expiry - begin)))]
      }
      duration = .seconds(expiry - begin)
    } else if let believed {
      duration = .seconds(believed)
    } else if let left, left < Self.plausible.lowerBound {
      // It has expired by the server's clock; or by this machine's, which may be wrong: then waiting requests try it.
      isExpired = date != nil
      duration = .zero
    } else {
      duration = Self.assumed
      isAssumed = true
    }
  }

  /// `difference`, reduced to what is certain although neither of two dates has fractions of a second. From 4 s on, the
  /// quarter of a lifetime in which a token is no longer sent covers them.
  private static func certain(_ difference: Double) -> Double { difference < 4 ? difference - 1 : difference }
}
