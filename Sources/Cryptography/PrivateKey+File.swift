internal import Secrets

extension PrivateKey {
  /// The first private key in the file at `path`, which must not be encrypted.
  ///
  /// - Parameter isGuarded: Whether it is refused where others than root and this process's user could read or change the
  ///   file, or put another one in its place; its group may read it.
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
