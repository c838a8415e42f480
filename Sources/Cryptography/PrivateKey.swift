internal import COpenSSL
public import Secrets

// Sendable: OpenSSL allows any number of threads to use a key that never changes.
/// A private key: RSA, P-256, P-384, P-521 or Ed25519 for signatures, any kind that OpenSSL supports for TLS. OpenSSL wipes its
/// memory when it is freed.
@safe public final class PrivateKey: @unchecked Sendable {
  /// What a key is for.
  public enum Kind: Hashable, Sendable {
    /// RSA with a modulus of so many bits.
    case rsa(bits: Int)
    /// ECDSA on the curve P-256.
    case p256
    /// ECDSA on the curve P-384.
    case p384
    /// ECDSA on the curve P-521.
    case p521
    /// Ed25519 (RFC 8032).
    case ed25519
    /// Another kind, by OpenSSL's name for it.
    case other(String)
  }

  /// What the key is for.
  public let kind: Kind

  // Owned by this object alone.
  package let key: OpaquePointer

  /// The first private key in `pem`, which must not be encrypted (PKCS #8, PKCS #1 or SEC 1).
  public convenience init(pem: Span<UInt8>) throws(PrivateKeyError) {
    var isEncrypted: Int32 = 0
    let key = unsafe pem.withUnsafeBytes {
      unsafe copenssl_read_private_key($0.baseAddress, Int32(clamping: $0.count), &isEncrypted)
    }
    ERR_clear_error()
    guard let key = unsafe key else { throw isEncrypted == 1 ? .encrypted : .notFound }
    unsafe self.init(owning: key)
  }

  /// A new RSA key with a modulus of so many bits.
  public static func generateRSA(bits: Int32 = 2048) throws(CryptographyError) -> PrivateKey {
    guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else { throw CryptographyError("a new key") }
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var generated: OpaquePointer?
    guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) == 1,
      unsafe EVP_PKEY_keygen(context, &generated) == 1, let key = unsafe generated
    else { throw CryptographyError("making an RSA key") }
    return unsafe PrivateKey(owning: key)
  }

  /// A new key on the curve P-256.
  public static func generateP256() throws(CryptographyError) -> PrivateKey {
    guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { throw CryptographyError("a new key") }
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var generated: OpaquePointer?
    guard unsafe EVP_PKEY_keygen_init(context) == 1,
      unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
      unsafe EVP_PKEY_keygen(context, &generated) == 1, let key = unsafe generated
    else { throw CryptographyError("making a P-256 key") }
    return unsafe PrivateKey(owning: key)
  }

  /// Another reference to `other`.
  convenience init(_ other: PrivateKey) {
    unsafe EVP_PKEY_up_ref(other.key)
    unsafe self.init(owning: other.key)
  }

  private init(owning key: OpaquePointer) {
    unsafe self.key = key
    kind = unsafe Self.kind(of: key)
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// The algorithms that the key can sign with, the usual one first; none for a key that cannot sign.
  public var algorithms: [SignatureAlgorithm] {
    switch kind {
    case .rsa(let bits) where bits >= Self.fewestBits: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
    case .p256: [.es256]
    case .p384: [.es384]
    case .p521: [.es512]
    case .ed25519: [.edDSA]
    case .rsa, .other: []
    }
  }

  /// The big-endian modulus and public exponent of an RSA key; nil for other keys.
  public var rsaNumbers: (modulus: [UInt8], exponent: [UInt8])? {
    guard case .rsa = kind, let modulus = unsafe Self.number("n", of: key),
      let exponent = unsafe Self.number("e", of: key)
    else { return nil }
    return (modulus, exponent)
  }

  /// The minimum of RFC 7518 section 3.3.
  static let fewestBits = 2048

  private static func kind(of key: OpaquePointer) -> Kind {
    switch unsafe EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_RSA:
      return .rsa(bits: Int(unsafe EVP_PKEY_get_bits(key)))
    case EVP_PKEY_EC:
      var name = [CChar](repeating: 0, count: 64)
      guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, nil) == 1 else { return .other("EC") }
      let group = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return switch group {
      case "prime256v1": .p256
      case "secp384r1": .p384
      case "secp521r1": .p521
      default: .other("EC on \(group)")
      }
    case EVP_PKEY_ED25519:
      return .ed25519
    default:
      return .other(unsafe EVP_PKEY_get0_type_name(key).map { unsafe String(cString: $0) } ?? "unknown")
    }
  }

  private static func number(_ name: String, of key: OpaquePointer) -> [UInt8]? {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1 else { return nil }
    defer { unsafe BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: (Int(unsafe BN_num_bits(number)) + 7) / 8)
    unsafe BN_bn2bin(number, &bytes)
    return bytes
  }
}

extension PrivateKey: CustomStringConvertible, CustomReflectable {
  /// The kind of key, and nothing of the key.
  public var description: String { "PrivateKey(\(kind))" }
  /// Shows nothing of the key.
  public var customMirror: Mirror { Mirror(self, children: ["kind": kind]) }
}

extension PrivateKey.Kind: CustomStringConvertible {
  /// The kind as text for people: `RSA with 2048 bits`, `P-256`.
  public var description: String {
    switch self {
    case .rsa(let bits): "RSA with \(bits) bits"
    case .p256: "P-256"
    case .p384: "P-384"
    case .p521: "P-521"
    case .ed25519: "Ed25519"
    case .other(let name): name
    }
  }
}

extension PrivateKey {
  /// The first private key in the file at `path`, which must not be encrypted.
  ///
  /// - Parameter isGuarded: Whether to reject a file that users other than root and this process's user can read, change or
  ///   replace; its group may read it.
  public convenience init(file path: String, isGuarded: Bool = false) throws(PrivateKeyError) {
    let key: Result<PrivateKey, PrivateKeyError>
    do {
      key = try SensitiveFile.read(path: path, limit: 64 * 1024) { bytes, file in
        Result { () throws(PrivateKeyError) in
          if isGuarded, let exposure = file.exposure { throw .exposed(exposure) }
          return try PrivateKey(pem: bytes)
        }
      }
    } catch {
      throw .unreadable(error.complaint(limit: "64 KB"))
    }
    self.init(try key.get())
  }
}

extension PrivateKey {
  /// The key in PEM form (PKCS #8), not encrypted.
  public func pem() throws(CryptographyError) -> Secret {
    guard let file = unsafe BIO_new(BIO_s_mem()) else { throw CryptographyError("memory for a key") }
    // OpenSSL wipes the memory of the BIO.
    defer { unsafe BIO_free(file) }
    guard unsafe PEM_write_bio_PKCS8PrivateKey(file, key, nil, nil, 0, nil, nil) == 1 else {
      throw CryptographyError("writing a key")
    }
    return Secret(count: Int(unsafe BIO_ctrl_pending(file))) { bytes in
      unsafe bytes.withUnsafeMutableBytes { _ = unsafe BIO_read(file, $0.baseAddress, Int32($0.count)) }
    }
  }
}

/// Why a file contains no private key.
public enum PrivateKeyError: Error, Hashable, CustomStringConvertible {
  /// The file cannot be read, for this reason.
  case unreadable(String)
  /// Users other than this process's user can read, change or replace the file: how.
  case exposed(String)
  /// The key is encrypted, and a service cannot ask for its password.
  case encrypted
  /// There is no private key in PEM form, or none that OpenSSL can read.
  case notFound

  /// What is wrong, to follow the name of the file.
  public var description: String {
    switch self {
    case .unreadable(let complaint), .exposed(let complaint):
      complaint
    case .encrypted:
      "holds an encrypted key; decrypt it (openssl pkey -in KEY -out PLAIN) and protect the file by its mode instead"
    case .notFound:
      "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
    }
  }
}
