internal import CCurl
internal import COpenSSL
internal import Glibc

// libcurl would parse its CA bundle again for every connection, which takes 20 ms and 0.8 MB each; so it is given none,
// and each connection's TLS context refers to this store. OpenSSL's stores are reference-counted and locked inside,
// hence Sendable; the pointer never leaves this module.
/// The certificate authorities that upstreams and token endpoints are verified against: parsed once, and shared by
/// every connection of the process.
@safe public final class TrustStore: @unchecked Sendable {
  let store: OpaquePointer

  /// The authorities in the PEM file `caFile`; without one, those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR`
  /// are respected, as curl and OpenSSL do).
  public init(caFile: String?) throws(TrustStoreError) {
    guard let store = unsafe X509_STORE_new() else { throw TrustStoreError(source: "memory", reason: "none left") }
    unsafe self.store = store
    // As curl does: a certificate in the file is trusted itself, also when it is not a root.
    unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    if let caFile {
      try load(caFile)
    } else if let file = unsafe getenv("SSL_CERT_FILE") {
      try load(unsafe String(cString: file))
    } else if unsafe getenv("SSL_CERT_DIR") == nil, let file = unsafe ccurl_default_ca_file(),
      unsafe access(file, R_OK) == 0
    {
      try load(unsafe String(cString: file))
    } else {
      unsafe X509_STORE_set_default_paths(store)
    }
  }

  deinit { unsafe X509_STORE_free(store) }

  private func load(_ file: String) throws(TrustStoreError) {
    ERR_clear_error()
    guard unsafe X509_STORE_load_file(store, file) == 1 else {
      throw TrustStoreError(source: file, reason: Self.lastError())
    }
  }

  private static func lastError() -> String {
    let code = ERR_get_error()
    guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "no certificate could be read" }
    return unsafe String(cString: reason)
  }
}

/// A CA file that cannot be used.
public struct TrustStoreError: Error, Sendable, CustomStringConvertible {
  /// The file.
  public let source: String
  /// What is wrong with it.
  public let reason: String

  /// One sentence for the person who configured it.
  public var description: String { "the CA certificates in \(source) cannot be used: \(reason)" }
}

// Freed after the last transfer that refers to it.
/// What the transfers of one event loop have in common: DNS answers and TLS sessions.
@safe final class CurlShare {
  let handle: UnsafeMutableRawPointer

  init() throws(UpstreamError) {
    guard let handle = unsafe ccurl_make_share() else { throw .other("libcurl has no memory") }
    unsafe self.handle = handle
  }

  deinit { unsafe curl_share_cleanup(handle) }
}
