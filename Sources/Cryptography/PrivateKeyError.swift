/// Why a file gives no private key.
public enum PrivateKeyError: Error, Hashable, CustomStringConvertible {
  /// The file cannot be read, for this reason.
  case unreadable(String)
  /// Others than this process's user could read or change the file, or put another one in its place: how.
  case exposed(String)
  /// The key is encrypted, and nobody is there to be asked for its password.
  case encrypted
  /// There is no private key in PEM form, or none that OpenSSL can read.
  case notFound

  /// What is wrong, to follow the name of the file.
  public var description: String {
    switch self {
    case .unreadable(let complaint), .exposed(let complaint):
      complaint
    case .encrypted:
      "holds an encrypted key; decrypt it (openssl pkey -in KEY -out PLAIN) and protect the file by its mode instead"
    case .notFound:
      "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
    }
  }
}
