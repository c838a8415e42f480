public import Secrets

/// Keeps tokens beyond the process; processes that share it agree on which of them fetches the next one.
///
/// A store is a convenience: when it fails, the caller goes on without it, at the cost of one token. Nothing may wait
/// for long, and no thread that serves requests may be blocked; so everything is asynchronous.
public protocol TokenStore: Sendable {
  /// The stored token for `grant`; nil if there is none.
  func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken?

  /// Stores `token` for `grant`, and replaces the one that was there.
  func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem)

  /// Removes `token`, unless another one has replaced it.
  func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem)

  /// The right to fetch a token for `grant`; nil while another process has it. It ends when it is released or its
  /// holder dies: at once if the store notices that, otherwise after `duration`.
  func claim(_ grant: TokenGrant, for duration: Duration) async throws(TokenStoreProblem) -> (any TokenClaim)?

  /// Adds `issued` tokens to those of `account`, and returns the sums of all processes; `seconds` are since 1970. If
  /// the store has lost tokens that the caller `knows` of, they are added again.
  func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums
}

/// The exclusive right to fetch a token.
public protocol TokenClaim: Sendable {
  /// Gives it back.
  func release() async
}

/// A token as a store keeps it: its times are by the wall clock, which all processes share.
public struct StoredToken: Sendable, CustomReflectable {
  /// The token itself.
  public let token: Secret
  /// When it was requested, in seconds since 1970.
  public let requestedAt: Int64
  /// How long it is valid from then on.
  public let lifetime: Duration

  /// Creates a token; nothing is checked.
  public init(token: Secret, requestedAt: Int64, lifetime: Duration) {
    self.token = token
    self.requestedAt = requestedAt
    self.lifetime = lifetime
  }

  /// Shows nothing of the token.
  public var customMirror: Mirror { Mirror(self, children: ["requestedAt": requestedAt, "lifetime": lifetime]) }

  // A clock that was set back a little is no reason for distrust.
  private static let tolerance: Int64 = 2

  /// The token by this process's clocks at `now`; nil if its times cannot be right.
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
  /// The token as a store keeps it.
  var stored: StoredToken {
    StoredToken(token: token, requestedAt: requestedAt.wallSeconds, lifetime: lifetime)
  }

  /// Whether `other` is the same token, whichever process fetched it.
  func isSame(as other: AccessToken) -> Bool {
    self === other || token == other.token
  }
}

/// Why a store failed. Contains nothing of any token or key.
public struct TokenStoreProblem: Error, Hashable, Sendable {
  /// The kind of problem; the raw values are names for logs and metrics.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Stored data cannot be read, and was set aside.
    case damaged = "token_store_damaged"
    /// Stored data is from the future, or valid for longer than any token.
    case distrusted = "token_store_distrusted"
    /// Another process held the right to fetch for longer than any fetch takes.
    case locked = "token_store_locked"
    /// An operation took too long, and the store is left alone for a while.
    case stalled = "token_store_stalled"
    /// Nothing can be read or written.
    case unusable = "token_store_unusable"
  }

  /// The kind of problem.
  public let kind: Kind
  /// What happened, as a sentence without its full stop.
  public let detail: String
  /// Whether it has been reported before, and continues.
  let isRepeated: Bool

  /// A problem made of its parts.
  public init(_ kind: Kind, _ detail: String) {
    self.init(kind, detail, isRepeated: false)
  }

  init(_ kind: Kind, _ detail: String, isRepeated: Bool) {
    self.kind = kind
    self.detail = detail
    self.isRepeated = isRepeated
  }
}
