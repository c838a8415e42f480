internal import Glibc

/// How a family of systems keeps the authorities that all of its programs trust.
enum SystemTrust: CaseIterable {
  /// Debian, Ubuntu and Alpine.
  case debian
  /// RHEL, Fedora and their relatives.
  case redHat

  /// The systems by name.
  var name: String {
    switch self {
    case .debian: "Debian, Ubuntu"
    case .redHat: "RHEL, Fedora"
    }
  }

  /// Where a certificate is put.
  var file: String {
    switch self {
    case .debian: "/usr/local/share/ca-certificates/m2m-proxy.crt"
    case .redHat: "/etc/pki/ca-trust/source/anchors/m2m-proxy.crt"
    }
  }

  /// The program that takes it up from there.
  var program: String {
    switch self {
    case .debian: "update-ca-certificates"
    case .redHat: "update-ca-trust"
    }
  }

  /// The commands that have the system forget the certificate.
  var undo: [String] {
    switch self {
    case .debian:
      // Without --fresh its link stays in /etc/ssl/certs, and with it in the keystore that a hook fills for Java.
      ["rm \(file) && update-ca-certificates --fresh"]
        + (unsafe access(Self.debianKeystore, F_OK) == 0
          ? ["keytool -delete -keystore \(Self.debianKeystore) -storepass changeit -alias debian:m2m-proxy.pem"] : [])
    case .redHat: ["rm \(file) && update-ca-trust"]
    }
  }

  private static let debianKeystore = "/etc/ssl/certs/java/cacerts"

  /// That of this machine, and the path of its program; nil where it is another one.
  static var here: (trust: SystemTrust, program: String)? {
    for trust in allCases {
      if let program = Subprogram.find(trust.program) { return (trust, program) }
    }
    return nil
  }
}
