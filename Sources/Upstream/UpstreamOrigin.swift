internal import CCurl
internal import COpenSSL
internal import Glibc
public import Outbound
internal import Secrets

/// Where a connection goes (RFC 9110 section 4.3.1): scheme, host and port.
public struct UpstreamOrigin: Hashable, Sendable {
  /// Whether the server speaks TLS.
  public let isSecure: Bool
  /// A name, or an IP address without brackets.
  public let host: String
  /// The port.
  public let port: UInt16
  /// Which of the addresses of the host connections may be made to.
  public let destinations: DestinationRules
  /// How connections to it are made.
  public let options: ConnectionOptions

  /// Creates an origin.
  public init(
    isSecure: Bool, host: String, port: UInt16, destinations: DestinationRules = DestinationRules(),
    options: ConnectionOptions = ConnectionOptions()
  ) {
    self.isSecure = isSecure
    self.host = host
    self.port = port
    self.destinations = destinations
    self.options = options
  }

  /// The origin with its port, as in a URL: `https://api.example:443`.
  public var name: String { "\(isSecure ? "https" : "http")://\(authority)" }

  /// Host and port, always both: `api.example:443`, `[::1]:22`.
  public var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  var url: String { name + "/" }

  /// The host that connections go to: that of the parent proxy, if there is one.
  var connectedHost: String { options.parentProxy?.host ?? host }
  /// The port of ``connectedHost``.
  var connectedPort: UInt16 { options.parentProxy?.port ?? port }
}

extension UpstreamOrigin {
  /// The origin of `url`, as libcurl reads it; nil if it is not an http or https URL.
  init?(url: String, options: ConnectionOptions) {
    guard let parsed = unsafe curl_url() else { return nil }
    defer { unsafe curl_url_cleanup(parsed) }
    func part(_ part: CURLUPart) -> String? {
      var text: UnsafeMutablePointer<CChar>?
      guard unsafe curl_url_get(parsed, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK else { return nil }
      defer { unsafe curl_free(text) }
      return unsafe text.map { unsafe String(cString: $0) }
    }
    guard unsafe curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK, let scheme = part(CURLUPART_SCHEME),
      ["http", "https"].contains(scheme), let host = part(CURLUPART_HOST), let port = part(CURLUPART_PORT),
      let number = UInt16(port)
    else { return nil }
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    self.init(isSecure: scheme == "https", host: bare, port: number, options: options)
  }
}

extension ParentProxy {
  /// The Proxy-Authorization line of CONNECT requests (RFC 7617), if the proxy asks for credentials.
  ///
  /// libcurl could make it, but some of its versions take percent signs in passwords for an encoding.
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

  /// The error of a transfer through the proxy, given libcurl's error and the status of the response to CONNECT, which
  /// is 0 if there was none.
  func explain(_ error: UpstreamError, connectStatus status: Int) -> UpstreamError {
    if status != 0, !(200...299).contains(status) {
      return .parentProxyRefusal("the parent proxy \(self) responded with \(status)", status: status)
    }
    // Once the tunnel exists, failures concern its other end.
    guard status == 0 else { return error }
    switch error {
    case .connectTimeout(let detail):
      return .connectTimeout("through the parent proxy \(self): \(detail)")
    case .dns, .connect, .prohibited, .privateAddress, .ownListener, .broken, .other, .tls:
      return .parentProxy("the parent proxy \(self) cannot be used: \(error)")
    case .alert, .certificate, .clientCertificate, .exhausted, .clientShare, .noDescriptors, .parentProxy,
      .parentProxyRefusal, .undecodable, .notHTTP:
      return error
    }
  }
}
