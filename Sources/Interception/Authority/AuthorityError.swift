/// Why files give no certificate authority.
public enum AuthorityError: Error, Hashable, CustomStringConvertible {
  /// Something is wrong with the file of the certificate: what, to follow its name.
  case certificate(file: String, String)
  /// A certificate in the file is not valid any more: what, to follow its name.
  case expired(file: String, String)
  /// Something is wrong with the file of the key, or with how both fit together: what, to follow its name.
  case key(file: String, String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .certificate(let file, let complaint), .expired(let file, let complaint), .key(let file, let complaint):
      "file \(file) \(complaint)"
    }
  }
}
