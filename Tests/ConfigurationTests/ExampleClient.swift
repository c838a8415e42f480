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
