internal import Cryptography
internal import Glibc

extension Format<CertificateName> {
  /// A subject, or one of the alternative names of a certificate.
  static var certificateName: Self {
    Format("a subject such as \"CN=erp,O=Example\", or dns:NAME, uri:URI or email:ADDRESS") { text throws(Refusal) in
      for (prefix, name) in kinds where text.hasPrefix(prefix) {
        return try name(String(text.dropFirst(prefix.count)))
      }
      guard let subject = DistinguishedName(text) else {
        throw Refusal("openssl x509 -noout -subject -nameopt RFC2253 shows it as it is written here")
      }
      return .subject(subject)
    }
  }

  private static var kinds: [(String, (String) throws(Refusal) -> CertificateName)] {
    [
      (
        "dns:",
        { text throws(Refusal) in
          let name = try HostName(written: text)
          guard name.address == nil else { throw Refusal("a name, not an address") }
          return .dns(name.text)
        }
      ),
      (
        "uri:",
        { text throws(Refusal) in
          guard text.contains(":") else { throw Refusal("a URI has a scheme, such as spiffe://example/erp") }
          return .uri(text)
        }
      ),
      (
        "email:",
        { text throws(Refusal) in
          guard text.contains("@") else { throw Refusal("an address has an @") }
          return .email(text)
        }
      ),
    ]
  }
}

extension Format<UInt32> {
  /// The id of a user, or the name of one who exists on this machine.
  static var uid: Self {
    Format("a user id such as 1001, or the name of a user") { text throws(Refusal) in
      // The last number means "no user" to the kernel.
      if let number = wholeNumber(text) {
        guard number < Int(UInt32.max) else { throw Refusal() }
        return UInt32(number)
      }
      guard !text.isEmpty, let uid = uid(of: text) else { throw Refusal("there is no user of that name here") }
      return uid
    }
  }

  private static func uid(of name: String) -> UInt32? {
    var entry = unsafe passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 * 1024)
    guard unsafe getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else { return nil }
    return unsafe entry.pw_uid
  }
}
