internal import Glibc

/// A file of authorities that a Java runtime trusts.
public struct JavaKeystore {
  /// Its path.
  public let file: String

  /// The one at the path `file`.
  public init(file: String) { self.file = file }

  /// What the certificate is called in it.
  static let alias = "m2m-proxy"

  // Those that the system makes of its own authorities: what is put into them is lost when it does so again.
  private static let ofTheSystem = [
    "/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts",
  ]

  /// That of JAVA_HOME; nil without one.
  public static var ofJavaHome: JavaKeystore? {
    guard let home = unsafe getenv("JAVA_HOME").map({ unsafe String(cString: $0) }) else { return nil }
    let files = ["\(home)/lib/security/cacerts", "\(home)/jre/lib/security/cacerts"]
    return files.first { unsafe access($0, F_OK) == 0 }.map { JavaKeystore(file: $0) }
  }

  /// Whether the system fills it, so that what is trusted there is trusted here.
  var followsSystem: Bool {
    guard let resolved = unsafe realpath(file, nil) else { return false }
    defer { unsafe free(resolved) }
    return Self.ofTheSystem.contains(unsafe String(cString: resolved))
  }

  /// Whether it holds a certificate by our name.
  func holdsOurs(keytool: String) -> Bool {
    Subprogram(keytool, "-list", "-keystore", file, "-alias", Self.alias, password.option, password.value)
      .run(quietly: true) == nil
  }

  /// What puts the certificate in the file at `path` into it.
  func importing(_ path: String, keytool: String) -> Subprogram {
    Subprogram(
      keytool, "-importcert", "-noprompt", "-keystore", file, "-alias", Self.alias, "-file", path, password.option,
      password.value)
  }

  /// What takes it out again.
  func removing(keytool: String) -> Subprogram {
    Subprogram(keytool, "-delete", "-keystore", file, "-alias", Self.alias, password.option, password.value)
  }

  /// The variable that holds the password where it is not the one that keystores of authorities are delivered with.
  public static let passwordVariable = "JAVA_KEYSTORE_PASSWORD"

  private var password: (option: String, value: String) {
    unsafe getenv(Self.passwordVariable) == nil
      ? ("-storepass", "changeit") : ("-storepass:env", Self.passwordVariable)
  }
}
