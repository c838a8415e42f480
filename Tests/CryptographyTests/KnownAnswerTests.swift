import Secrets
import Testing

@testable import Cryptography

@Suite("Digests, derivation and encryption")
struct KnownAnswerTests {
  private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal.utf8).map { UInt8($0 < 0x40 ? $0 - 0x30 : $0 - 0x57) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  private func secret(_ hexadecimal: String) -> Secret { Secret(bytes(hexadecimal).span) }

  private func content(_ secret: Secret?) -> [UInt8]? {
    secret?.withBytes { bytes in bytes.indices.map { bytes[$0] } }
  }

  @Test("SHA-256 gives the results of FIPS 180-4")
  func digest() throws {
    for (message, digest) in [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
      #expect(try SHA256.digest(of: Array(message.utf8).span) == bytes(digest))
    }
  }

  @Test("HKDF-SHA256 gives the results of RFC 5869 appendix A.1 and A.3")
  func derivation() throws {
    let material = secret(String(repeating: "0b", count: 22))
    let first = try SHA256.derive(
      42, from: material, salt: bytes("000102030405060708090a0b0c"), info: bytes("f0f1f2f3f4f5f6f7f8f9"))
    #expect(
      content(first)
        == bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
    let third = try SHA256.derive(42, from: material, salt: [], info: [])
    #expect(
      content(third)
        == bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
  }

  @Test("AES-256-GCM gives the results of the GCM specification, test cases 14 and 16")
  func encryption() throws {
    for (key, nonce, context, plaintext, sealed) in [
      (
        String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", String(repeating: "00", count: 16),
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
      ),
      (
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
          + "e657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba"
          + "7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
      ),
    ] {
      let message = try AES256GCM.seal(
        secret(plaintext), by: secret(key), context: bytes(context), nonce: bytes(nonce))
      #expect(message == bytes(nonce) + bytes(sealed))
      #expect(content(try AES256GCM.open(message, by: secret(key), context: bytes(context))) == bytes(plaintext))
    }
  }

  @Test("a message that was changed anywhere, or is opened with another key or context, is not opened")
  func tampering() throws {
    let key = secret(String(repeating: "11", count: 32))
    let message = try AES256GCM.seal(Secret("token"), by: key, context: [1])
    #expect(message.count == 5 + AES256GCM.overhead)
    #expect(content(try AES256GCM.open(message, by: key, context: [1])) == Array("token".utf8))
    for position in message.indices {
      var changed = message
      changed[position] ^= 1
      #expect(try AES256GCM.open(changed, by: key, context: [1]) == nil)
    }
    for count in 0..<message.count {
      #expect(try AES256GCM.open(Array(message.prefix(count)), by: key, context: [1]) == nil)
    }
    #expect(try AES256GCM.open(message, by: key, context: [2]) == nil)
    #expect(try AES256GCM.open(message, by: secret(String(repeating: "12", count: 32)), context: [1]) == nil)
  }

  @Test("the same message is sealed differently each time, an empty one too")
  func nonces() throws {
    let key = secret(String(repeating: "11", count: 32))
    let empty = Secret("")
    #expect(try AES256GCM.seal(empty, by: key) != AES256GCM.seal(empty, by: key))
    #expect(content(try AES256GCM.open(AES256GCM.seal(empty, by: key), by: key)) == [])
  }
}
