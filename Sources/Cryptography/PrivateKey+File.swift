internal import Secrets

extension PrivateKey {
  /// The first private key in the file at `path`, which must not be encrypted.
  public convenience init(file path: String) throws(PrivateKeyError) {
    let key: Result<PrivateKey, PrivateKeyError>
    do {
      key = try SensitiveFile.read(path: path, limit: 64 * 1024) { bytes, _ in
        Result { () throws(PrivateKeyError) in try PrivateKey(pem: bytes) }
      }
    } catch {
      throw .unreadable(error.complaint(limit: "64 KB"))
    }
    self.init(try key.get())
  }
}
