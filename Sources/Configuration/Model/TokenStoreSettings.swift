public import Secrets

/// Where tokens are kept so that they outlive the process.
public struct TokenStoreSettings: Sendable {
  /// The directory of their files.
  public var directory: String
  /// What the files are encrypted with; nil for keys derived from the clients' secrets.
  public var key: Secret?
}
