import Cryptography
import Secrets

/// The setting `password` of a caller, which is a hash. None of its messages shows what it holds: it may be a password.
enum PasswordSetting {
  // Below it, whoever has proxy.conf tries thousands of passwords a second.
  private static let leastLogN = 14

  /// The hash; nil after a problem was noted.
  static func read(_ setting: Setting) -> PasswordHash? {
    guard let (text, _) = ClientSecretSetting.read(setting, warnsOfText: false) else { return nil }
    let hash = text.withBytes { bytes in PasswordHash(String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self))
    }
    guard let hash else {
      setting.complain("must be a hash of the password, as \"m2m-proxy hash-password\" makes it, not anything else")
      return nil
    }
    if hash.cost.logN < leastLogN {
      setting.warn("costs little to guess (ln=\(hash.cost.logN)); \"m2m-proxy hash-password\" makes better ones")
    }
    return hash
  }
}
