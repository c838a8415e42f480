public import Secrets

/// Where tokens are kept so that they outlive the process.
public struct TokenStoreSettings: Sendable, Equatable {
  /// The directory of their files.
  public var directory: String
  /// Encrypts the files; nil for keys derived from the clients' secrets.
  public var key: Secret?
}

extension TokenStoreSettings {
  // The length of the output of `openssl rand -base64 24`: 192 bits.
  private static let shortestKey = 32

  /// The section `token_store`.
  static let group = SettingGroup(
    "token_store", prefix: "token_store.", "Where tokens are kept over restarts.",
    [place.declaration, encryptionKey])

  private static let place = Declared(
    "directory", .line("the path of a directory", .text("path")), default: .required,
    "a directory of the proxy's own user, with mode 0700, on a local disk; made if its parent exists")
  private static let encryptionKey = SettingDeclaration(
    "key", SecretForm.type, default: .described("derived from the client secret"),
    "the key that encrypts the files, at least 32 characters; as [client_secret](#client_secret)")

  /// Reads the section `token_store`; nil after a problem was reported.
  static func read(_ section: Section) -> TokenStoreSettings? {
    let format = place.format
    var directory: String?
    if let setting = section.requiredSetting(place), let text = setting.text(format.expected),
      let written = setting.value(format)
    {
      let path = setting.findings.resolve(path: written)
      if let complaint = SensitiveDirectory.complaint(path: path, showsPaths: text.shownPath == path) {
        setting.complain("names \(text.shownPath), which \(complaint)")
      } else if SensitiveDirectory.isReadOnly(path: path) {
        setting.warn("names \(text.shownPath), which is on a read-only file system: tokens are kept in memory")
      }
      directory = path
    }
    let key = section[encryptionKey].flatMap { setting -> Secret? in
      guard let secret = ClientSecretSetting.read(setting)?.secret else { return nil }
      if secret.count < shortestKey {
        setting.complain("is shorter than \(shortestKey) characters; openssl rand -base64 32 makes a good one")
      }
      return secret
    }
    guard let directory, section[encryptionKey] == nil || key != nil else { return nil }
    return TokenStoreSettings(directory: directory, key: key)
  }

  /// Reports a problem with `setting` if one of `credentials` has no secret from which to derive a key.
  func complainOfMissingKey(_ setting: Setting, for credentials: [Credentials]) {
    guard key == nil, let first = credentials.first(where: { $0.clientSecret == nil }) else { return }
    setting.complain(
      "needs a key: credentials.\(first.name) have no client_secret to derive one from; "
        + "openssl rand -base64 32 makes a good one")
  }
}
