import COpenSSL
import Cryptography
import Secrets
import Testing

@testable import Interception

@Suite("A certificate authority that was made here")
struct CertificateAuthorityTests {
  private func result(_ authority: CertificateAuthority, _ host: String, asking asked: String? = nil) throws -> Int32 {
    let certificate = try authority.issue(
      for: #require(CertifiedHost(host)), key: PrivateKey.generateP256(), notBefore: noon, notAfter: noon + day)
    let result = Verifier.result(certificate, of: authority, for: asked ?? host)
    #expect(authority.permits(certificate) == (result == X509_V_OK), "\(host): clients and the authority see the same")
    return result
  }

  @Test(
    "issues what clients accept: names, those below them, and addresses",
    arguments: ["orders.example.com", "eu.orders.example.com", "a.b.wild.example", "10.1.2.3", "fd00::1"])
  func accepted(host: String) throws {
    let authority = try authority(["orders.example.com", "wild.example", "10.1.2.3", "fd00::1"])
    #expect(try result(authority, host) == X509_V_OK)
    #expect(authority.permits(try #require(CertifiedHost(host))))
  }

  @Test(
    "cannot issue what its constraints do not permit, even if it does",
    arguments: [
      ("example.com", X509_V_ERR_PERMITTED_VIOLATION), ("xorders.example.com", X509_V_ERR_PERMITTED_VIOLATION),
      ("orders.example.com.evil.test", X509_V_ERR_PERMITTED_VIOLATION), ("10.1.2.4", X509_V_ERR_PERMITTED_VIOLATION),
      ("fd00::1", X509_V_ERR_PERMITTED_VIOLATION),
    ])
  func refused(host: String, expected: Int32) throws {
    let authority = try authority(["orders.example.com", "10.1.2.3"])
    #expect(try [expected, X509_V_ERR_EXCLUDED_VIOLATION].contains(result(authority, host)))
    #expect(!authority.permits(try #require(CertifiedHost(host))))
  }

  @Test("for names alone is for no address, and the other way round")
  func otherKind() throws {
    let names = try authority(["orders.example.com"])
    #expect(try result(names, "10.1.2.3") == X509_V_ERR_EXCLUDED_VIOLATION)
    #expect(try result(names, "::1") == X509_V_ERR_EXCLUDED_VIOLATION)
    let addresses = try authority(["10.1.2.3"])
    #expect(try result(addresses, "10.1.2.3") == X509_V_OK)
    #expect(try result(addresses, "orders.example.com") == X509_V_ERR_PERMITTED_VIOLATION)
    #expect(try result(addresses, "::1") != X509_V_OK)
    #expect(try result(authority(["::1"]), "10.1.2.3") != X509_V_OK)
  }

  @Test("without constraints is for any host")
  func unconstrained() throws {
    for host in ["a.example", "10.1.2.3", "::1"] { #expect(try result(authority(nil), host) == X509_V_OK) }
  }

  @Test("issues certificates for one host and no other")
  func otherHost() throws {
    let authority = try authority(nil)
    #expect(try result(authority, "a.example", asking: "a.example") == X509_V_OK)
    let key = try PrivateKey.generateP256()
    let leaf = try authority.issue(
      for: .name("a.example"), key: key, notBefore: noon, notAfter: noon + day)
    for asked in ["b.example", "x.a.example", "example"] {
      #expect(
        Verifier.result(leaf, of: authority, for: asked) == X509_V_ERR_HOSTNAME_MISMATCH)
    }
  }

  @Test("issues for a name that is too long for a subject")
  func longName() throws {
    let host = [String](repeating: "a-label-of-eighteen", count: 5).joined(separator: ".") + ".example"
    #expect(host.utf8.count > 64)
    #expect(try result(authority(["example"]), host) == X509_V_OK)
  }

  @Test("has a root, both for servers alone, with the constraints, and says who and until when")
  func ownCertificates() throws {
    let authority = try authority(["a.example"], lifetime: 100 * day)
    let root = try #require(authority.root)
    #expect(authority.certificates.map(\.name) == ["m2m-proxy issuer (test)", "m2m-proxy CA (test)"])
    #expect(root.isSelfIssued && authority.certificate.isIssued(by: root) && !root.belongs(to: authority.key))
    #expect(authority.intermediates.map(\.name) == ["m2m-proxy issuer (test)"])
    for (certificate, length) in zip(authority.certificates, [0, 1]) {
      #expect(certificate.notAfter == noon + 100 * day && certificate.notBefore < noon)
      #expect(unsafe X509_get_extension_flags(certificate.x509) & UInt32(EXFLAG_CA) != 0)
      #expect(unsafe X509_get_pathlen(certificate.x509) == length)
      #expect(unsafe X509_get_key_usage(certificate.x509) == UInt32(KU_KEY_CERT_SIGN | KU_CRL_SIGN))
      #expect(unsafe X509_get_extended_key_usage(certificate.x509) == UInt32(XKU_SSL_SERVER))
      for kind in [NID_basic_constraints, NID_key_usage, NID_name_constraints] {
        let position = unsafe X509_get_ext_by_NID(certificate.x509, kind, -1)
        #expect(unsafe X509_EXTENSION_get_critical(X509_get_ext(certificate.x509, position)) == 1)
      }
    }
  }

  @Test("cannot make further authorities")
  func furtherAuthority() throws {
    let authority = try authority(["a.example"])
    let key = try PrivateKey.generateP256()
    let below = try certificate("below", key, issuer: (authority.certificate, authority.key))
    let tooMany = CertificateAuthority(certificates: [below] + authority.certificates, key: key)
    let leaf = try tooMany.issue(for: .name("a.example"), key: key, notBefore: noon, notAfter: noon + day)
    #expect(Verifier.result(leaf, of: tooMany, for: "a.example") == X509_V_ERR_PATH_LENGTH_EXCEEDED)
  }

  @Test("gives its certificates positive serial numbers of 128 random bits")
  func serials() throws {
    let authority = try authority(nil)
    var seen: Set<[UInt8]> = []
    for _ in 0..<50 {
      let leaf = try authority.issue(for: .name("a"), key: authority.key, notBefore: noon, notAfter: noon + day)
      let number = unsafe ASN1_INTEGER_to_BN(X509_get_serialNumber(leaf.x509), nil)
      defer { unsafe BN_free(number) }
      var bytes = [UInt8](repeating: 0, count: Int(unsafe BN_num_bits(number) + 7) / 8)
      unsafe BN_bn2bin(number, &bytes)
      #expect(unsafe BN_is_negative(number) == 0)
      #expect((13...16).contains(bytes.count))
      seen.insert(bytes)
    }
    #expect(seen.count == 50)
  }

  @Test("writes its key so that it can be read again")
  func key() throws {
    let authority = try authority(nil)
    let again = try authority.keyPEM().withBytes { bytes in
      Result { () throws(PrivateKeyError) in try PrivateKey(pem: bytes) }
    }.get()
    #expect(authority.certificate.belongs(to: again) && again.kind == .p256)
    #expect(Certificate.all(inPEM: authority.certificate.pem.utf8Span.span).count == 1)
  }

  @Test("has a scope without what is below other names, and never an empty kind of names")
  func scope() {
    let scope = AuthorityScope(["b.a.example", "a.example", "xa.example", "10.0.0.1"].map { CertifiedHost($0)! })
    #expect("\(scope)" == "a.example and below it, xa.example and below it, 10.0.0.1")
    #expect(
      scope.extensionValue
        == "critical,permitted;DNS:a.example,permitted;DNS:xa.example,permitted;IP:10.0.0.1/255.255.255.255")
    #expect(AuthorityScope([]).extensionValue.hasPrefix("critical,permitted;DNS:invalid,excluded;IP:0.0.0.0/0.0.0.0,"))
  }

  @Test(
    "takes no text for a host that could mean something else to OpenSSL",
    arguments: ["a.example,IP:1.2.3.4", "a b", "", ".", "a..b", "*.a", "a:b", "ä.example", "a\n", "@x", "1.2.3.4/8"])
  func noHost(text: String) { #expect(CertifiedHost(text) == nil) }

  @Test("takes hosts in every way in which they are written")
  func hosts() {
    #expect(CertifiedHost("A.Example.") == .name("a.example"))
    #expect(CertifiedHost("FD00::0:1")?.description == "fd00::1")
  }
}
