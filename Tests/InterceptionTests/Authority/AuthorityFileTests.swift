import COpenSSL
import Cryptography
import Foundation
import Secrets
import Testing

@testable import Interception

@Suite("The files of a certificate authority")
struct AuthorityFileTests {
  private func pem(_ key: PrivateKey) throws -> String {
    try key.pem().withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }

  /// The authority in files with these texts, at noon; the names of the files are `cert` and `key`.
  private func load(_ certificate: String?, _ key: String?, mode: Int = 0o600, certificateMode: Int? = nil) throws
    -> CertificateAuthority
  {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("authority-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let files = ["cert", "key"].map { directory.appendingPathComponent($0).path }
    for (path, text) in zip(files, [certificate, key]) {
      guard let text else { continue }
      let mode = path == files[0] ? certificateMode ?? mode : mode
      #expect(
        FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode]))
    }
    return try CertificateAuthority.load(certificateFile: files[0], keyFile: files[1], now: noon)
  }

  private func complaint(_ certificate: String?, _ key: String?, mode: Int = 0o600, certificateMode: Int? = nil)
    -> String
  {
    do {
      _ = try load(certificate, key, mode: mode, certificateMode: certificateMode)
      return ""
    } catch {
      return "\(error)".replacing(#/\/\S*\/(cert|key)/#) { "\($0.1)" }
    }
  }

  @Test("are read, with intermediate certificates or without, P-256, P-384 or RSA; the root is not sent")
  func read() throws {
    let made = try authority(["a.example"])
    let own = try load(made.pem, try pem(made.key))
    #expect(own.certificates.count == 2 && own.root?.fingerprint == made.root?.fingerprint)
    let aloneKey = try PrivateKey.generateP256()
    let alone = try load(try certificate("alone", aloneKey).pem, try pem(aloneKey))
    #expect(alone.root?.name == "alone" && alone.intermediates.isEmpty)
    let (rootKey, middleKey) = (try PrivateKey.generateRSA(), try PrivateKey.generateRSA())
    let root = try certificate("root", rootKey)
    let middle = try certificate("middle", middleKey, issuer: (root, rootKey))
    let lowKey = try PrivateKey(pem: Self.p384.utf8Span.span)
    let low = try certificate("low", lowKey, issuer: (middle, middleKey))
    for (file, hasRoot) in [(low.pem + middle.pem, false), (low.pem + middle.pem + root.pem, true)] {
      let authority = try load(file, Self.p384, mode: 0o640)
      #expect((authority.root != nil) == hasRoot)
      let leaves = try LeafCertificates(authority, lifetime: .seconds(7 * day)) { noon }
      let leaf = try leaves.mint(for: "a.example")
      #expect(Verifier.chainLength(leaf) == 2)
      #expect(Verifier.result(leaf, for: "a.example", trusting: root, at: noon) == X509_V_OK)
    }
  }

  @Test("obey the name constraints of all that is in them")
  func constraintsAbove() throws {
    let (rootKey, key) = (try PrivateKey.generateP256(), try PrivateKey.generateP256())
    let root = try certificate(
      "root", rootKey,
      extensions: [
        (NID_basic_constraints, "critical,CA:TRUE"), (NID_name_constraints, "critical,permitted;DNS:a.example"),
        (NID_subject_key_identifier, "hash"),
      ])
    let low = try certificate("low", key, issuer: (root, rootKey))
    let authority = try load(low.pem + root.pem, try pem(key))
    #expect(authority.permits(.name("x.a.example")) && !authority.permits(.name("b.example")))
  }

  @Test("that cannot be used are rejected with the reason")
  func refused() throws {
    let made = try authority(nil)
    let (own, key) = (made.certificate.pem, try pem(made.key))
    #expect(complaint(nil, key) == "file cert cannot be read: No such file or directory")
    #expect(complaint(own, nil) == "file key cannot be read: No such file or directory")
    #expect(complaint("", key) == "file cert holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    #expect(
      complaint(own, try pem(.generateP256())) == "file key holds a key that does not belong to the certificate in cert"
    )
    #expect(
      complaint(own, key, mode: 0o644)
        == "file key is open to every user of this machine (mode 0644); chmod 600 key fixes that")
    #expect(
      complaint(own, key, mode: 0o660) == "file key can be written by its group (mode 0660); chmod 600 key fixes that")
    #expect(complaint(own, Self.encrypted).hasPrefix("file key holds an encrypted key; decrypt it"))
  }

  @Test("with a certificate that is not an authority's are rejected with the reason")
  func noAuthority() throws {
    let key = try PrivateKey.generateP256()
    func complaint(_ extensions: [(Int32, String)]) throws -> String {
      self.complaint(try certificate("x", key, extensions: extensions).pem, try pem(key))
    }
    let which = "file cert holds the certificate CN=x, which"
    let notOne = "\(which) is not that of a certificate authority (basicConstraints lacks CA:TRUE)"
    #expect(try complaint([]) == notOne)
    #expect(try complaint([(NID_basic_constraints, "CA:FALSE")]) == notOne)
    #expect(
      try complaint([(NID_basic_constraints, "CA:TRUE"), (NID_key_usage, "digitalSignature")])
        == "\(which) must not sign others (keyUsage lacks keyCertSign)")
    #expect(
      try complaint([(NID_basic_constraints, "CA:TRUE"), (NID_ext_key_usage, "clientAuth")])
        == "\(which) is not for servers (extendedKeyUsage lacks serverAuth)")
    let other = try certificate("other", .generateP256())
    #expect(
      self.complaint(try certificate("x", key).pem + other.pem, try pem(key))
        == "file cert holds the certificate CN=other, which did not issue the one before it; "
        + "the order is: the authority's own, then upwards")
  }

  @Test("whose certificates have been signed by other keys than it looks are refused")
  func signatures() throws {
    let (rootKey, otherKey, key) = (
      try PrivateKey.generateP256(), try PrivateKey.generateP256(), try PrivateKey.generateP256()
    )
    let root = try certificate("r", rootKey)
    // Names and key identifiers fit: it says that the root issued it.
    let low = try certificate("low", key, issuer: (root, otherKey))
    #expect(
      complaint(low.pem + root.pem, try pem(key))
        .hasPrefix("file cert holds the certificate CN=r, which did not issue the one before it"))
    #expect(complaint(try certificate("low", key, issuer: (root, rootKey)).pem + root.pem, try pem(key)) == "")
    let forged = try certificate("r", otherKey, issuer: (root, rootKey))
    #expect(
      complaint(forged.pem, try pem(otherKey))
        == "file cert holds the certificate CN=r, which names itself as its issuer, and has another one's signature")
  }

  @Test("that others could change are rejected, with any permissions to read", arguments: [0o666, 0o646, 0o602])
  func writable(mode: Int) throws {
    let key = try PrivateKey.generateP256()
    let (own, text) = (try certificate("x", key).pem, try pem(key))
    let octal = "0\(String(mode, radix: 8))"
    #expect(
      complaint(own, text, mode: 0o600, certificateMode: mode)
        == "file cert can be written by every user of this machine (mode \(octal)); chmod go-w cert fixes that")
    #expect(complaint(own, text, certificateMode: 0o644) == "")
  }

  @Test("say for which hosts they are")
  func scopes() throws {
    func hosts(_ constraints: String?) throws -> String? {
      let extensions =
        [(NID_basic_constraints, "critical,CA:TRUE")] + (constraints.map { [(NID_name_constraints, $0)] } ?? [])
      return try certificate("x", .generateP256(), extensions: extensions).permittedHosts
    }
    #expect(try hosts(nil) == nil)
    #expect(try hosts("critical,permitted;DNS:a.example") == "a.example and below it")
    #expect(
      try hosts("permitted;DNS:a.example,permitted;IP:10.0.0.1/255.255.255.255,permitted;IP:10.1.0.0/255.255.0.0")
        == "a.example and below it, 10.0.0.1, 10.1.0.0/255.255.0.0")
    // Of names nothing is said, so that all are permitted.
    #expect(try hosts("permitted;IP:10.0.0.1/255.255.255.255") == nil)
    #expect(try hosts("excluded;DNS:b.example") == nil)
  }

  @Test("with a certificate that has expired, or is not valid yet, are rejected")
  func dates() throws {
    let key = try PrivateKey.generateP256()
    let text = try pem(key)
    let old = try certificate("x", key, notAfter: noon - 1)
    #expect(complaint(old.pem, text) == "file cert holds the certificate CN=x, which expired on 2026-11-27")
    let early = try certificate("x", key, notBefore: noon + 3 * day)
    #expect(
      complaint(early.pem, text)
        == "file cert holds the certificate CN=x, which is not valid before 2026-11-30; is the clock right?")
  }

  // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384
  private static let p384 = """
    -----BEGIN PRIVATE KEY-----
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCkwR35s1kwjxiSiOVE
    MBZncmAftB6LqlPWlw/oqbr8jla90hoeb5ujq3C6ayfzuUyhZANiAATwLfPtrsVE
    MGRPjKUooJdCnGEYxR+OLKwDB5EjrS/HzBlhspg0bjmBE789DW1f+Y27jXBFaWBk
    yMJop6cnNUzMo1SW63qzE6FieSCzswtgHaVloe93KzdD/aW//WFZ9HM=
    -----END PRIVATE KEY-----
    """

  // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x
  private static let encrypted = """
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAguoquyu+KmvQICCAAw
    DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHBGSfTdPbQRvM61fX+5YnoEgZAJ
    haa/L2aPVdNyfw2uHRdUjHBc09wjxTmzP4ToeFGS9Ri9iwe19xOFqLAsbXqS7u16
    1k/DFYT+9YS8ioCTrmoX4W/ypSdKz5LbnzWDJRL9qc6LsvoA+/XAlt6WnhYZaJPq
    GCUYXSQGJKtW9aRqzQFOzKtrGEqWCOTZ+hmcbCSN9wFa+aujJuh8qsoBGvja5KU=
    -----END ENCRYPTED PRIVATE KEY-----
    """
}
