internal import Cryptography

/// An RSA key that signs with RS256 (RFC 7518 3.3), and checks what it signed.
final class SigningKey: Sendable {
  /// The thumbprint of the public key (RFC 7638), which tokens name as `kid`.
  let identifier: String
  /// The modulus, base64url.
  let modulus: String
  /// The public exponent, base64url.
  let exponent: String

  private let key: PrivateKey

  /// Generates a key of 2,048 bits.
  init() throws(SandboxError) {
    do {
      key = try PrivateKey.generateRSA()
      guard let numbers = key.rsaNumbers else { throw SandboxError.cryptography("an RSA key without its numbers") }
      modulus = Base64URL.encode(numbers.modulus)
      exponent = Base64URL.encode(numbers.exponent)
      // RFC 7638 3.2: the required members in the order of their names, without whitespace.
      let members = Array(#"{"e":"\#(exponent)","kty":"RSA","n":"\#(modulus)"}"#.utf8)
      identifier = Base64URL.encode(try SHA256.digest(of: members.span))
    } catch let error as SandboxError {
      throw error
    } catch {
      throw .cryptography("\(error)")
    }
  }

  /// The signature of `message`.
  func sign(_ message: [UInt8]) throws(SandboxError) -> [UInt8] {
    do { return try key.signature(of: message, by: .rs256) } catch { throw .cryptography(error.description) }
  }

  /// Whether `signature` is this key's for `message`.
  func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    key.verifies(signature, of: message, by: .rs256)
  }
}
