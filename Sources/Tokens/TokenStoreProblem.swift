/// Why a store was of no help. Nothing of any token or key.
public struct TokenStoreProblem: Error, Hashable, Sendable {
  /// What kind of trouble it is; the raw values are names for logs and metrics.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// What was kept cannot be read, and was set aside.
    case damaged = "token_store_damaged"
    /// What was kept is from the future, or valid for longer than any token.
    case distrusted = "token_store_distrusted"
    /// Somebody else had the right to fetch for longer than any fetch takes.
    case locked = "token_store_locked"
    /// Nothing can be read or written.
    case unusable = "token_store_unusable"
  }

  /// What kind of trouble it is.
  public let kind: Kind
  /// What happened, as a sentence without its full stop.
  public let detail: String

  /// A problem made of its parts.
  public init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }

  /// What it costs, and what mends it.
  public var hint: String {
    switch kind {
    case .damaged:
      "It is not used again. If client secret and token_store.key are as before, look at the disk."
    case .distrusted: "A token is fetched in its place. Look at this machine's clock."
    case .locked: "A token is fetched all the same. Look for another m2m-proxy that is stopped or hangs."
    case .unusable: "Tokens are kept in memory meanwhile. The directory of token_store must be writable, and not full."
    }
  }
}
