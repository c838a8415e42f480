import COpenSSL
import Cryptography

@testable import Interception

/// What OpenSSL, as a client, says of certificates.
enum Verifier {
  /// The result for the certificate that `context` shows to a client that wants `host` and trusts `root`: `X509_V_OK`,
  /// or why not.
  static func result(_ context: TLSServerContext, for host: String, trusting root: Certificate, at now: Int64) -> Int32
  {
    let leaf = unsafe SSL_CTX_get0_certificate(context.context)
    var chain: OpaquePointer?
    unsafe SSL_CTX_ctrl(context.context, SSL_CTRL_GET_CHAIN_CERTS, 0, &chain)
    return unsafe result(leaf, chain, for: host, trusting: root, at: now)
  }

  /// The same for `certificate`, which `authority` issued.
  static func result(_ certificate: Certificate, of authority: CertificateAuthority, for host: String) -> Int32 {
    let chain = unsafe OPENSSL_sk_new_null()
    defer { unsafe OPENSSL_sk_free(chain) }
    for certificate in authority.intermediates {
      unsafe OPENSSL_sk_push(chain, UnsafeRawPointer(certificate.x509))
    }
    return unsafe result(certificate.x509, chain, for: host, trusting: authority.root!, at: noon)
  }

  private static func result(
    _ leaf: OpaquePointer?, _ chain: OpaquePointer?, for host: String, trusting root: Certificate, at now: Int64
  ) -> Int32 {
    let store = unsafe X509_STORE_new()
    let verification = unsafe X509_STORE_CTX_new()
    defer {
      unsafe X509_STORE_CTX_free(verification)
      unsafe X509_STORE_free(store)
    }
    unsafe X509_STORE_add_cert(store, root.x509)
    unsafe X509_STORE_CTX_init(verification, store, leaf, chain)
    unsafe X509_STORE_CTX_set_default(verification, "ssl_server")
    let parameters = unsafe X509_STORE_CTX_get0_param(verification)
    unsafe X509_VERIFY_PARAM_set_time(parameters, Int(now))
    // Strict: authority key identifiers, critical constraints and the like have to be as RFC 5280 has them.
    unsafe X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_X509_STRICT))
    if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 {
      unsafe X509_VERIFY_PARAM_set1_host(parameters, host, 0)
    }
    unsafe X509_verify_cert(verification)
    return unsafe X509_STORE_CTX_get_error(verification)
  }

  /// The certificate that `context` shows.
  static func leaf(_ context: TLSServerContext) -> Certificate {
    let leaf = unsafe SSL_CTX_get0_certificate(context.context)!
    unsafe X509_up_ref(leaf)
    return unsafe Certificate(owning: leaf)
  }

  /// How many certificates it shows behind that one.
  static func chainLength(_ context: TLSServerContext) -> Int {
    var chain: OpaquePointer?
    unsafe SSL_CTX_ctrl(context.context, SSL_CTRL_GET_CHAIN_CERTS, 0, &chain)
    return unsafe chain.map { Int(unsafe OPENSSL_sk_num($0)) } ?? 0
  }
}
