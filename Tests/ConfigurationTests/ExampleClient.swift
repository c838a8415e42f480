import ExampleKeys
import Foundation
import Testing

/// A public test key (RFC 7515, A.3), and a self-signed certificate for it that is valid until 2125.
enum ExampleClient {
  static let key = ExampleKey.p256 + "\n"
  static let certificate = ExampleKey.certificateUntil2125 + "\n"

  /// A JSON Web Token that expires in 2286, with no signature to speak of.
  static let assertion = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTl9.c2lnbmF0dXJl\n"

  /// The list of certificates that it has revoked, which are none, until 2126.
  static let revocationList = """
    -----BEGIN X509 CRL-----
    MIGdMEUCAQEwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbTJtLXByb3h5Fw0yNjAx
    MDEwMDAwMDBaGA8yMTI2MDEwMTAwMDAwMFowCgYIKoZIzj0EAwIDSAAwRQIhALAl
    bvRwbepfPQpu2uOED5snxPI63NRqHzmsEnEPI4TQAiAVkzSwJ9M0BqhJ8PHv2kTk
    FqblvcCCdUOJpiqqKshFtA==
    -----END X509 CRL-----

    """
}

/// Calls `body` with `text`, in which the files it names are in a directory of the test's own, and a group that only Debian has
/// is one that every system has.
func withExampleFiles<R>(_ text: String, _ body: (String) throws -> R) throws -> R {
  let directory = try exampleFiles()
  defer { try? FileManager.default.removeItem(at: directory) }
  return try body(naming(directory, in: text))
}

/// As above, for tests that give others a turn.
func withExampleFiles<R>(_ text: String, _ body: (String) async throws -> R) async throws -> R {
  let directory = try exampleFiles()
  defer { try? FileManager.default.removeItem(at: directory) }
  return try await body(naming(directory, in: text))
}

private func exampleFiles() throws -> URL {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("example-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  let hash = "$scrypt$ln=15,r=8,p=1$6TvTHvn8Mm5lqeyINBGMcw$hDxTPLgsPMFIhTVrcSsvSPEhcXNGDbCvEZXhEDTuWkw\n"
  for (name, content) in [
    ("kinde_client_secret", "s3cret\n"), ("kinde_client_secret_previous", "s3cret-before\n"),
    ("client_secret", "s3cret\n"), ("billing_client_secret", "s3cret-1\n"), ("erp_client_secret", "s3cret-2\n"),
    ("billing.hash", hash), ("erp.hash", hash), ("proxy_password", "s3cret\n"),
    ("private-ca.pem", "-----BEGIN CERTIFICATE-----\n"), ("private-ca.crl.pem", ExampleClient.revocationList),
    ("client.key", ExampleClient.key), ("client.pem", ExampleClient.certificate),
    ("server.key", ExampleClient.key), ("server.pem", ExampleClient.certificate),
    ("jwt_svid.token", ExampleClient.assertion), ("idp-token", ExampleClient.assertion),
    ("azure-identity-token", ExampleClient.assertion), ("token", ExampleClient.assertion),
    ("token_store_key", "a-key-of-more-than-32-characters-in-all"),
  ] {
    let path = directory.appendingPathComponent(name).path
    try #require(
      FileManager.default.createFile(atPath: path, contents: Data(content.utf8), attributes: [.posixPermissions: 0o400])
    )
  }
  return directory
}

private func naming(_ directory: URL, in text: String) -> String {
  var text = text.replacingOccurrences(of: "group: www-data", with: "group: root")
  for place in ["/var/run/secrets/azure/tokens/", "/run/secrets/idp/", "/run/secrets/", "/etc/ssl/", "/var/lib/"] {
    text = text.replacingOccurrences(of: place, with: directory.path + "/")
  }
  return text.replacingOccurrences(of: "/usr/bin/vault", with: "/bin/true")
}
