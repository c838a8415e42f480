internal import COpenSSL
internal import Glibc
internal import Secrets

extension ParentProxy {
  /// The Proxy-Authorization line of CONNECT requests (RFC 7617), if the proxy asks for credentials.
  ///
  /// libcurl could make it, but takes percent signs in passwords for an encoding, in some of its versions.
  var fieldLine: String? {
    credentials?.withBytes { bytes in
      var encoded = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
      defer { unsafe explicit_bzero(&encoded, encoded.count) }
      let count = unsafe bytes.withUnsafeBufferPointer {
        unsafe EVP_EncodeBlock(&encoded, $0.baseAddress, Int32(clamping: $0.count))
      }
      return "Proxy-Authorization: Basic \(String(decoding: encoded.prefix(Int(count)), as: UTF8.self))"
    }
  }

  /// The error of a transfer through the proxy, given what libcurl made of it and the status of the answer to CONNECT,
  /// which is 0 when there was none.
  func explain(_ error: UpstreamError, connectStatus status: Int) -> UpstreamError {
    if status != 0, !(200...299).contains(status) {
      return .parentProxyRefusal("the parent proxy \(name) answered \(status)", status: status)
    }
    // Once the tunnel is there, what fails is a matter of its other end.
    guard status == 0 else { return error }
    switch error {
    case .connectTimeout(let detail):
      return .connectTimeout("through the parent proxy \(name): \(detail)")
    case .dns, .connect, .prohibited, .privateAddress, .ownListener, .broken, .other, .tls:
      return .parentProxy("the parent proxy \(name) cannot be used: \(error)")
    case .certificate, .clientCertificate, .exhausted, .clientShare, .noDescriptors, .parentProxy,
      .parentProxyRefusal:
      return error
    }
  }
}
