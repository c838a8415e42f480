internal import Glibc

/// How a family of systems stores the authorities that all programs trust.
enum SystemTrust: CaseIterable {
  /// Debian, Ubuntu and Alpine.
  case debian
  /// RHEL, Fedora and their relatives.
  case redHat

  /// The names of the systems.
  var name: String {
    switch self {
    case .debian: "Debian, Ubuntu"
    case .redHat: "RHEL, Fedora"
    }
  }

  /// The path for a certificate.
  var file: String {
    switch self {
    case .debian: "/usr/local/share/ca-certificates/m2m-proxy.crt"
    case .redHat: "/etc/pki/ca-trust/source/anchors/m2m-proxy.crt"
    }
  }

  /// The program that adds the certificate there to the trusted ones.
  var program: String {
    switch self {
    case .debian: "update-ca-certificates"
    case .redHat: "update-ca-trust"
    }
  }

  /// The commands that remove the certificate from the system again.
  var undo: [String] {
    switch self {
    case .debian:
      // Without --fresh, the link stays in /etc/ssl/certs; with it, the certificate still stays in the keystore that a hook
      // fills for Java.
      ["rm \(file) && update-ca-certificates --fresh"]
        + (unsafe access(Self.debianKeystore, F_OK) == 0
          ? ["keytool -delete -keystore \(Self.debianKeystore) -storepass changeit -alias debian:m2m-proxy.pem"] : [])
    case .redHat: ["rm \(file) && update-ca-trust"]
    }
  }

  private static let debianKeystore = "/etc/ssl/certs/java/cacerts"

  /// This machine's system, and the path of its program; nil if it is another system.
  static var here: (trust: SystemTrust, program: String)? {
    for trust in allCases {
      if let program = Subprogram.find(trust.program) { return (trust, program) }
    }
    return nil
  }
}
