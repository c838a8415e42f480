internal import Glibc

/// A keystore of authorities that a Java runtime trusts.
public struct JavaKeystore {
  /// Its path.
  public let file: String

  /// The keystore at the path `file`.
  public init(file: String) { self.file = file }

  /// The alias of the certificate in it.
  static let alias = "m2m-proxy"

  // Keystores that the system generates from its own authorities; it drops other entries when it does so again.
  private static let ofTheSystem = [
    "/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts",
  ]

  /// The keystore of JAVA_HOME; nil if that is not set.
  public static var ofJavaHome: JavaKeystore? {
    guard let home = unsafe getenv("JAVA_HOME").map({ unsafe String(cString: $0) }) else { return nil }
    let files = ["\(home)/lib/security/cacerts", "\(home)/jre/lib/security/cacerts"]
    return files.first { unsafe access($0, F_OK) == 0 }.map { JavaKeystore(file: $0) }
  }

  /// Whether the system generates it from its own authorities.
  var followsSystem: Bool {
    guard let resolved = unsafe realpath(file, nil) else { return false }
    defer { unsafe free(resolved) }
    return Self.ofTheSystem.contains(unsafe String(cString: resolved))
  }

  /// Whether it contains a certificate with our alias.
  func holdsOurs(keytool: String) -> Bool {
    Subprogram(keytool, "-list", "-keystore", file, "-alias", Self.alias, password.option, password.value)
      .run(quietly: true) == nil
  }

  /// The command that imports the certificate in the file at `path`.
  func importing(_ path: String, keytool: String) -> Subprogram {
    Subprogram(
      keytool, "-importcert", "-noprompt", "-keystore", file, "-alias", Self.alias, "-file", path, password.option,
      password.value)
  }

  /// The command that removes it.
  func removing(keytool: String) -> Subprogram {
    Subprogram(keytool, "-delete", "-keystore", file, "-alias", Self.alias, password.option, password.value)
  }

  /// The variable that holds the password, if it is not the usual one of such keystores.
  public static let passwordVariable = "JAVA_KEYSTORE_PASSWORD"

  private var password: (option: String, value: String) {
    unsafe getenv(Self.passwordVariable) == nil
      ? ("-storepass", "changeit") : ("-storepass:env", Self.passwordVariable)
  }
}
