import Cryptography
import Encodings
import ExampleKeys
import Foundation
import Testing

@Suite("Signatures")
struct SignatureTests {
  private static let payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

  private func key(_ pem: String) throws -> PrivateKey { try PrivateKey(pem: pem.utf8Span.span) }

  @Test("RS256 gives the signature of RFC 7515, A.2", arguments: [ExampleKey.rsa, ExampleKey.rsaPKCS1])
  func rs256(pem: String) throws {
    let signature = try key(pem).signature(of: Array("eyJhbGciOiJSUzI1NiJ9.\(Self.payload)".utf8), by: .rs256)
    #expect(
      Base64.url.encode(signature)
        == "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
        + "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383"
        + "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"
        + "wlVmtVrBp0igcN_IoypGlUPQGe77Rw")
  }

  @Test(
    "ES256 accepts the signature of RFC 7515, A.3, and no other", arguments: [ExampleKey.p256, ExampleKey.p256SEC1])
  func es256(pem: String) throws {
    let message = Array("eyJhbGciOiJFUzI1NiJ9.\(Self.payload)".utf8)
    let signature = try #require(
      Base64.url.decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
    let key = try key(pem)
    #expect(key.verifies(signature, of: message, by: .es256))
    #expect(!key.verifies(signature, of: message + [0], by: .es256))
    #expect(!key.verifies(Array(signature.dropLast()), of: message, by: .es256))
    #expect(!key.verifies(Array(signature.reversed()), of: message, by: .es256))
  }

  @Test("EdDSA gives the signature of RFC 8037, A.4")
  func edDSA() throws {
    let signature = try key(ExampleKey.ed25519).signature(
      of: Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8), by: .edDSA)
    #expect(
      Base64.url.encode(signature)
        == "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
  }

  @Test("a signature is valid for its message, key and algorithm only")
  func roundTrip() throws {
    let message = Array("message".utf8)
    var tried: Set<SignatureAlgorithm> = []
    for pem in [ExampleKey.rsa, ExampleKey.p256, ExampleKey.p384, ExampleKey.p521, ExampleKey.ed25519] {
      let key = try key(pem)
      for algorithm in key.algorithms {
        let signature = try key.signature(of: message, by: algorithm)
        #expect(key.verifies(signature, of: message, by: algorithm))
        #expect(!key.verifies(signature, of: Array("massage".utf8), by: algorithm))
        for other in key.algorithms where other != algorithm {
          #expect(!key.verifies(signature, of: message, by: other))
        }
        tried.insert(algorithm)
      }
    }
    #expect(tried == Set(SignatureAlgorithm.allCases))
  }

  @Test(
    "an ECDSA signature always has the same length, also when R or S begin with zeros",
    arguments: [(ExampleKey.p256, 64), (ExampleKey.p384, 96), (ExampleKey.p521, 132)])
  func lengths(pem: String, length: Int) throws {
    let key = try key(pem)
    let algorithm = try #require(key.algorithms.first)
    // One in 128 has a leading zero byte in R or S; on P-521 every other one has.
    for number in 0..<500 {
      let message = Array("\(number)".utf8)
      let signature = try key.signature(of: message, by: algorithm)
      guard signature.count == length, signature[0] == 0 || signature[length / 2] == 0 else {
        #expect(signature.count == length)
        continue
      }
      #expect(key.verifies(signature, of: message, by: algorithm))
    }
  }

  @Test("a key knows its kind and its algorithms")
  func kinds() throws {
    #expect(try key(ExampleKey.rsa).kind == .rsa(bits: 2048))
    #expect(try key(ExampleKey.rsa).algorithms == [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512])
    #expect(try key(ExampleKey.p256).kind == .p256)
    #expect(try key(ExampleKey.p256).algorithms == [.es256])
    #expect(try key(ExampleKey.rsa1024).algorithms == [])
    #expect(try key(ExampleKey.p384).kind == .p384)
    #expect(try key(ExampleKey.p384).algorithms == [.es384])
    #expect(try key(ExampleKey.p521).kind == .p521)
    #expect(try key(ExampleKey.p521).algorithms == [.es512])
    #expect(try key(ExampleKey.ed25519).kind == .ed25519)
    #expect(try key(ExampleKey.ed25519).algorithms == [.edDSA])
    #expect(try key(ExampleKey.secp256k1).kind == .other("EC on secp256k1"))
    #expect(try key(ExampleKey.secp256k1).algorithms == [])
    #expect(try key(ExampleKey.p256).rsaNumbers == nil)
  }

  @Test("a certificate has the thumbprints that openssl x509 -fingerprint shows")
  func thumbprints() throws {
    let certificate = try #require(Certificate.all(inPEM: ExampleKey.certificate.utf8Span.span).first)
    func text(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02X", $0) }.joined(separator: ":") }
    #expect(text(certificate.thumbprints.sha1) == "63:B7:C4:D8:FE:54:E5:53:2C:FB:28:32:C4:AE:B0:DD:29:01:15:E3")
    #expect(text(certificate.thumbprints.sha256) == certificate.fingerprint)
  }

  @Test("an encrypted key is refused, without a prompt for its password")
  func encrypted() {
    for pem in [ExampleKey.encrypted, ExampleKey.encryptedSEC1] {
      #expect(throws: PrivateKeyError.encrypted) { try key(pem) }
    }
  }

  @Test(
    "what is no key is refused",
    arguments: ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
  func noKey(pem: String) {
    #expect(throws: PrivateKeyError.notFound) { try key(pem) }
  }

  @Test("a key shows nothing of itself")
  func redaction() throws {
    let key = try key(ExampleKey.p256)
    var dumped = ""
    dump(key, to: &dumped)
    for text in [dumped, "\(key)", String(reflecting: key)] {
      #expect(text.contains("P-256") && !text.contains("0x"), "\(text)")
    }
  }
}
