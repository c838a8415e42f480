internal import COpenSSL
public import Cryptography
public import Secrets

/// Signs the certificates that clients are shown in place of those of the servers that they request.
public final class CertificateAuthority: Sendable {
  /// Its certificate, then those between it and a root, and the root if that is there.
  public let certificates: [Certificate]
  /// Its key.
  let key: PrivateKey

  /// An authority of these parts; nothing is checked.
  init(certificates: [Certificate], key: PrivateKey) {
    self.certificates = certificates
    self.key = key
  }

  /// The kinds of keys that a new authority may have.
  public enum Keys: Sendable {
    /// ECDSA on the curve P-256.
    case p256
    /// RSA with 3,072 bits, for programs that import or verify nothing else.
    case rsa3072

    fileprivate func make() throws(CryptographyError) -> PrivateKey {
      switch self {
      case .p256: try .generateP256()
      case .rsa3072: try .generateRSA(bits: 3072)
      }
    }
  }

  /// A new key for the certificates of servers, which clients can use that can use the authority's.
  func makeLeafKey() throws(CryptographyError) -> PrivateKey {
    if case .rsa = key.kind { try .generateRSA() } else { try .generateP256() }
  }

  /// Its own certificate.
  public var certificate: Certificate { certificates[0] }

  /// Its key in PEM form, not encrypted.
  public func keyPEM() throws(CryptographyError) -> Secret { try key.pem() }

  /// All of its certificates in PEM form, its own first.
  public var pem: String { certificates.map(\.pem).joined() }

  /// What a server shows after its own certificate: everything up to the root, which clients that trust it have.
  var intermediates: [Certificate] { certificates.filter { !$0.isSelfIssued } }

  /// The root that clients have to trust; nil where it is elsewhere.
  public var root: Certificate? { certificates.last.flatMap { $0.isSelfIssued ? $0 : nil } }

  /// The first second in which all of its certificates are valid, since 1970.
  public var notBefore: Int64 { certificates.map(\.notBefore).max() ?? 0 }
  /// The last second in which all of its certificates are valid, since 1970.
  public var notAfter: Int64 { certificates.map(\.notAfter).min() ?? 0 }

  /// Clocks of clients may be behind by so many seconds.
  private static let clockSkew: Int64 = 6 * 3600
  /// Clients that follow the rules of browsers accept no certificate for longer than 398 days.
  private static let longestLeaf: Int64 = 397 * 86_400

  /// A new authority with a key of its own, and the root above it, whose key no longer exists.
  ///
  /// Clients may ignore the name constraints of a root, and Java's do. Only those of a
  /// certificate below it bind all clients.
  ///
  /// - Parameters:
  ///   - name: What its certificates are called after, such as `web1, 2026-11-27`; at most 40 characters count.
  ///   - scope: The hosts that it may issue certificates for; nil for all.
  ///   - now: The time in seconds since 1970.
  ///   - lifetime: For how many seconds it is good.
  ///   - keys: Which keys it and the root have.
  public static func make(
    name: String, scope: AuthorityScope?, now: Int64, lifetime: Int64, keys: Keys = .p256
  ) throws(CryptographyError) -> CertificateAuthority {
    let (rootKey, key) = (try keys.make(), try keys.make())
    func certificate(
      _ kind: String, _ key: PrivateKey, issuer: Certificate?, pathLength: Int
    ) throws(CryptographyError) -> Certificate {
      let builder = try CertificateBuilder(for: key, notBefore: now - clockSkew, notAfter: now + lifetime)
      // A common name has 64 characters at most.
      try builder.setSubject(NID_commonName, "m2m-proxy \(kind) (\(String(name.unicodeScalars.prefix(40))))")
      try builder.setIssuer(issuer)
      // It signs certificates of servers, and none of further authorities.
      try builder.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:\(pathLength)")
      try builder.add(NID_key_usage, "critical,keyCertSign,cRLSign")
      try builder.add(NID_ext_key_usage, "serverAuth")
      try builder.add(NID_subject_key_identifier, "hash")
      if let issuer { try builder.add(NID_authority_key_identifier, "keyid:always", issuer: issuer) }
      if let scope { try builder.add(NID_name_constraints, scope.extensionValue) }
      return try builder.signed(with: rootKey)
    }
    let root = try certificate("CA", rootKey, issuer: nil, pathLength: 1)
    let own = try certificate("issuer", key, issuer: root, pathLength: 0)
    return CertificateAuthority(certificates: [own, root], key: key)
  }

  /// Whether it may issue a certificate for `host`, as clients see it that verify its name constraints.
  public func permits(_ host: CertifiedHost) -> Bool {
    let certificate = try? issue(for: host, key: key, notBefore: notBefore, notAfter: notAfter)
    return certificate.map(permits) ?? false
  }

  /// Whether `certificate`, which it issued, obeys its name constraints, and those above it.
  func permits(_ certificate: Certificate) -> Bool {
    certificates.allSatisfy { unsafe copenssl_check_constraints($0.x509, certificate.x509) == X509_V_OK }
  }

  /// A certificate for the server `host` with `key`, whatever the constraints are.
  ///
  /// - Parameter allowsRSAKeyExchange: whether clients may encrypt with an RSA key, as they do before TLS 1.2.
  func issue(
    for host: CertifiedHost, key: PrivateKey, notBefore: Int64, notAfter: Int64, allowsRSAKeyExchange: Bool = false
  ) throws(CryptographyError) -> Certificate {
    let start = max(notBefore - Self.clockSkew, self.notBefore)
    let end = min(notAfter, self.notAfter, start + Self.longestLeaf)
    let builder = try CertificateBuilder(for: key, notBefore: start, notAfter: end)
    // The subject says nothing that the alternative name does not, but some programs show it. An address must not stand
    // there: verifiers take it for a name, which the constraints do not permit.
    if case .name(let name) = host, name.utf8.count <= 64 {
      try builder.setSubject(NID_commonName, name)
    } else {
      try builder.setSubject(NID_organizationName, "m2m-proxy")
    }
    try builder.setIssuer(certificate)
    try builder.add(NID_basic_constraints, "critical,CA:FALSE")
    let encrypts = if case .rsa = key.kind { allowsRSAKeyExchange } else { false }
    try builder.add(NID_key_usage, "critical,digitalSignature\(encrypts ? ",keyEncipherment" : "")")
    try builder.add(NID_ext_key_usage, "serverAuth")
    try builder.add(NID_subject_alt_name, host.alternativeName)
    try builder.add(NID_subject_key_identifier, "hash")
    if unsafe X509_get0_subject_key_id(certificate.x509) != nil {
      try builder.add(NID_authority_key_identifier, "keyid:always", issuer: certificate)
    }
    return try builder.signed(with: self.key)
  }
}

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
