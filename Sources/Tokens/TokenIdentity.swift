public import Cryptography
internal import Secrets

extension TokenRequestKey {
  /// Bytes that differ between any two keys whose tokens are not interchangeable, the same in all processes. They hold
  /// no secret.
  public func identity() throws(CryptographyError) -> [UInt8] {
    var identity = TokenIdentity("token request 1")
    identity.append(endpoint)
    identity.append(clientID)
    identity.append(authentication.name)
    identity.append(audience.map { [$0] } ?? [])
    identity.append(scopes)
    identity.append(resources)
    identity.append(parameters.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
    identity.append(count: headers.count)
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
      identity.append(name)
      identity.append(digest: try value.withBytes { bytes throws(CryptographyError) in try SHA256.digest(of: bytes) })
    }
    // The number of the way means something to this process alone; what tokens may be bound to is the certificate.
    identity.append(certificateFile.map { [$0] } ?? [])
    return identity.bytes
  }
}

extension TokenAccount {
  /// Bytes that differ between any two accounts, the same in all processes.
  public var identity: [UInt8] {
    var identity = TokenIdentity("account 1")
    identity.append(credentials)
    identity.append(endpoint)
    identity.append(clientID)
    return identity.bytes
  }
}

/// Texts in a row, each with its length, so that no two rows give the same bytes.
private struct TokenIdentity {
  private(set) var bytes: [UInt8] = []

  init(_ kind: String) { append(kind) }

  mutating func append(_ text: String) {
    append(count: text.utf8.count)
    bytes += text.utf8
  }

  mutating func append(_ texts: [String]) {
    append(count: texts.count)
    for text in texts { append(text) }
  }

  mutating func append(digest: [UInt8]) {
    append(count: digest.count)
    bytes += digest
  }

  mutating func append(count: Int) {
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
  }
}

extension ClientAuthenticationMethod {
  /// Its name in the registry of RFC 7591, 2.
  fileprivate var name: String {
    switch self {
    case .clientSecretPost: "client_secret_post"
    case .clientSecretBasic: "client_secret_basic"
    case .privateKeyJWT: "private_key_jwt"
    case .tlsClientAuth: "tls_client_auth"
    }
  }
}
