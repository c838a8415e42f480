import Foundation
import Testing

/// A public test key (RFC 7515, A.3), and a self-signed certificate for it that is valid until 2125.
enum ExampleClient {
  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
    H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
    7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
    -----END PRIVATE KEY-----

    """

  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBKjCB0KADAgECAhQyqtG30CvJQ4Ee9J51VFKH/9xhRDAKBggqhkjOPQQDAjAU
    MRIwEAYDVQQDDAltMm0tcHJveHkwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNTEyMDgw
    MDAwMDBaMBQxEjAQBgNVBAMMCW0ybS1wcm94eTBZMBMGByqGSM49AgEGCCqGSM49
    AwEHA0IABH/Nzidw9sRdQYPL7m/bS3tYBzM1e+nvE7rPbjx70VRFx/FEzRu9m36H
    LN/tue659LNpXW6pCyStikYjKIWI5a0wCgYIKoZIzj0EAwIDSQAwRgIhAOiZR2+h
    1sTwr31hWXclja4wRp34cjPo0c35goENADWfAiEA/5vqBWbvDxoQYxrNpQpFEUPU
    PGYCWxw+LpA7h5F42Lg=
    -----END CERTIFICATE-----

    """

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
