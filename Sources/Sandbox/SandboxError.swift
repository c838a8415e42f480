/// Why a sandbox cannot be started.
public enum SandboxError: Error, CustomStringConvertible {
  /// OpenSSL refused; what it said.
  case cryptography(String)
  /// An address cannot be listened on, and why.
  case listening(address: String, reason: String)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .cryptography(let detail): "OpenSSL made no signing key: \(detail)"
    case .listening(let address, let reason): "cannot listen on \(address): \(reason)"
    }
  }
}
