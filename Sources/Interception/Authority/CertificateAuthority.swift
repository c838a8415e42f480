internal import COpenSSL
public import Cryptography
public import Secrets

/// Signs the certificates that clients get instead of those of the servers that they request.
public final class CertificateAuthority: Sendable {
  /// Its certificate, then the certificates up to the root, including the root if it is known.
  public let certificates: [Certificate]
  /// Its key.
  let key: PrivateKey

  /// An authority of these parts; nothing is checked.
  init(certificates: [Certificate], key: PrivateKey) {
    self.certificates = certificates
    self.key = key
  }

  /// The kinds of key that a new authority may have.
  public enum Keys: Sendable {
    /// ECDSA on the curve P-256.
    case p256
    /// RSA with 3,072 bits, for programs that cannot import or verify anything else.
    case rsa3072

    fileprivate func make() throws(CryptographyError) -> PrivateKey {
      switch self {
      case .p256: try .generateP256()
      case .rsa3072: try .generateRSA(bits: 3072)
      }
    }
  }

  /// A new key for server certificates, of a kind that every client supports that supports the authority's.
  func makeLeafKey() throws(CryptographyError) -> PrivateKey {
    if case .rsa = key.kind { try .generateRSA() } else { try .generateP256() }
  }

  /// Its own certificate.
  public var certificate: Certificate { certificates[0] }

  /// Its key in PEM form, not encrypted.
  public func keyPEM() throws(CryptographyError) -> Secret { try key.pem() }

  /// All of its certificates in PEM form, its own first.
  public var pem: String { certificates.map(\.pem).joined() }

  /// The chain that a server sends after its own certificate: everything up to the root, which clients that trust it have.
  var intermediates: [Certificate] { certificates.filter { !$0.isSelfIssued } }

  /// The root that clients must trust; nil if it is not in the file.
  public var root: Certificate? { certificates.last.flatMap { $0.isSelfIssued ? $0 : nil } }

  /// The first second in which all of its certificates are valid, since 1970.
  public var notBefore: Int64 { certificates.map(\.notBefore).max() ?? 0 }
  /// The last second in which all of its certificates are valid, since 1970.
  public var notAfter: Int64 { certificates.map(\.notAfter).min() ?? 0 }

  /// The clocks of clients may be behind by this many seconds.
  private static let clockSkew: Int64 = 6 * 3600
  /// Clients that follow the browsers' rules reject certificates that are valid for more than 398 days.
  private static let longestLeaf: Int64 = 397 * 86_400

  /// A new authority with its own key, and the root above it, whose key is not kept.
  ///
  /// Clients may ignore the name constraints of a root, as Java does. Only those of a certificate below it bind all clients.
  ///
  /// - Parameters:
  ///   - name: A name for its certificates, such as `web1, 2026-11-27`; the first 40 characters are used.
  ///   - scope: The hosts that it may issue certificates for; nil for all.
  ///   - now: The time in seconds since 1970.
  ///   - lifetime: How many seconds it is valid.
  ///   - keys: The kind of its key and of the root's.
  public static func make(
    name: String, scope: AuthorityScope?, now: Int64, lifetime: Int64, keys: Keys = .p256
  ) throws(CryptographyError) -> CertificateAuthority {
    let (rootKey, key) = (try keys.make(), try keys.make())
    func certificate(
      _ kind: String, _ key: PrivateKey, issuer: Certificate?, pathLength: Int
    ) throws(CryptographyError) -> Certificate {
      let builder = try CertificateBuilder(for: key, notBefore: now - clockSkew, notAfter: now + lifetime)
      // A common name has at most 64 characters.
      try builder.setSubject(NID_commonName, "m2m-proxy \(kind) (\(String(name.unicodeScalars.prefix(40))))")
      try builder.setIssuer(issuer)
      // It signs certificates of servers, not of further authorities.
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

  /// Whether clients that verify its name constraints accept a certificate that it issues for `host`.
  public func permits(_ host: CertifiedHost) -> Bool {
    let certificate = try? issue(for: host, key: key, notBefore: notBefore, notAfter: notAfter)
    return certificate.map(permits) ?? false
  }

  /// Whether `certificate`, which it issued, satisfies its name constraints and those above it.
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
    // The subject adds nothing to the alternative name, but some programs show it. It must not be an address: verifiers take it
    // for a name, which the constraints do not permit.
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

/// Why files contain no usable certificate authority.
public enum AuthorityError: Error, Hashable, CustomStringConvertible {
  /// The certificate file has a problem: what, to follow its name.
  case certificate(file: String, String)
  /// A certificate in the file has expired: what, to follow its name.
  case expired(file: String, String)
  /// The key file has a problem, or does not fit the certificate: what, to follow its name.
  case key(file: String, String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .certificate(let file, let complaint), .expired(let file, let complaint), .key(let file, let complaint):
      "file \(file) \(complaint)"
    }
  }
}
