internal import Configuration
internal import Upstream

/// The ways in which connections to token endpoints are made: each once, by the number that token requests name.
struct TokenWays {
  /// The ways, by number.
  private(set) var options: [ConnectionOptions] = []
  private var numbers: [ConnectionOptions: Int] = [:]

  /// Those of `credentials`.
  init(_ credentials: [Credentials]) {
    for credentials in credentials {
      let options = ConnectionOptions(credentials)
      guard numbers[options] == nil else { continue }
      numbers[options] = self.options.count
      self.options.append(options)
    }
  }

  /// The number of the way that `credentials` need, which are among those that it was made of.
  func number(for credentials: Credentials) -> Int { numbers[ConnectionOptions(credentials)] ?? 0 }
}

extension ConnectionOptions {
  /// How connections to the token endpoint of `credentials` are made.
  init(_ credentials: Credentials) {
    self.init(
      clientCertificate: credentials.clientCertificate.map(Upstream.ClientCertificate.init),
      parentProxy: credentials.parentProxy.map(Upstream.ParentProxy.init))
  }

  /// How connections to the upstream of `route` are made.
  init(_ route: Route) {
    self.init(
      clientCertificate: route.clientCertificate.map(Upstream.ClientCertificate.init),
      parentProxy: route.parentProxy.map(Upstream.ParentProxy.init), acceptsTruncation: route.tlsTruncation == .accept)
  }
}

extension Upstream.ClientCertificate {
  fileprivate init(_ files: Configuration.ClientCertificate) {
    self.init(certificateFile: files.certificateFile, keyFile: files.keyFile)
  }
}

extension Upstream.ParentProxy {
  fileprivate init(_ proxy: Configuration.ParentProxy) {
    self.init(host: proxy.host, port: proxy.port, credentials: proxy.credentials)
  }
}
