internal import COpenSSL
public import Secrets

extension PrivateKey {
  /// The key in PEM form (PKCS #8), not encrypted.
  public func pem() throws(CryptographyError) -> Secret {
    guard let file = unsafe BIO_new(BIO_s_mem()) else { throw CryptographyError("memory for a key") }
    // OpenSSL wipes the memory behind it.
    defer { unsafe BIO_free(file) }
    guard unsafe PEM_write_bio_PKCS8PrivateKey(file, key, nil, nil, 0, nil, nil) == 1 else {
      throw CryptographyError("writing a key")
    }
    return Secret(count: Int(unsafe BIO_ctrl_pending(file))) { bytes in
      unsafe bytes.withUnsafeMutableBytes { _ = unsafe BIO_read(file, $0.baseAddress, Int32($0.count)) }
    }
  }
}
