internal import Addresses

extension Format<TCPAddress> {
  /// `IP:port`, `[v6]:port`, `localhost:port`, or a port on this machine.
  static var tcpAddress: Self {
    Format("an address such as 127.0.0.1:8080", .text("address", pattern: Patterns.listenAddress, numbers: 0...65535)) {
      text throws(Refusal) in
      if let port = wholeNumber(text) { return TCPAddress(host: "127.0.0.1", port: try listenPort(port)) }
      guard !text.includes("://") else { throw Refusal("leave out http://") }
      guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else { throw Refusal("the port is missing") }
      let host = text[..<colon]
      guard !host.isEmpty, host != "*" else {
        let port = wholeNumber(text[colon...].dropFirst()).map(String.init) ?? "PORT"
        throw Refusal("for every address of this machine write 0.0.0.0:\(port)")
      }
      let name = try HostName(written: host)
      guard name.address != nil || name.text == "localhost" else { throw Refusal("an IP address, not a name") }
      guard let port = wholeNumber(text[colon...].dropFirst()) else { throw Refusal("a port is a number up to 65535") }
      return TCPAddress(host: name.address?.text ?? "127.0.0.1", port: try listenPort(port))
    }
  }

  private static func listenPort(_ number: Int) throws(Refusal) -> UInt16 {
    guard let port = UInt16(exactly: number) else { throw Refusal("a port is a number up to 65535") }
    return port
  }
}

extension Format<TCPAddress?> {
  /// A ``Format/tcpAddress``, or `off`.
  static var tcpAddressOrOff: Self {
    let address = Format<TCPAddress>.tcpAddress
    return Format("\(address.expected), or off", .orOff(address.type), written: { $0.map { "\($0)" } ?? "off" }) {
      text throws(Refusal) in
      if text == "off" { return nil }
      guard !text.hasPrefix("unix:"), !text.hasPrefix("systemd") else {
        throw Refusal("health and metrics are served over TCP only")
      }
      return try address.read(text)
    }
  }
}

extension Format<HostName> {
  /// The domain of a Kinde tenant.
  static var domain: Self {
    Format("a domain such as acme.kinde.com", .text("host", pattern: Patterns.name)) { text throws(Refusal) in
      guard !text.includes("://") else { throw Refusal("leave out https://") }
      guard !text.contains("/") else { throw Refusal("leave out the path") }
      let authority = try Authority(text)
      guard authority.port == nil, authority.host.address == nil else { throw Refusal() }
      return authority.host
    }
  }
}

extension Format<Match> {
  /// `host[:port][/path]` or `*.domain[:port][/path]`.
  static var match: Self {
    Format(
      "a host such as orders.internal or orders.internal:8443/api/",
      .text("`host[:port][/path]`", pattern: Patterns.match)
    ) {
      text throws(Refusal) in
      guard !text.includes("://") else { throw Refusal("leave out the scheme (http://)") }
      guard !text.hasPrefix("/") else { throw Refusal("for a path without a host use mount") }
      let pathStart = text.firstIndex { "/?#".contains($0) } ?? text.endIndex
      let written = text[..<pathStart]
      let isWildcard = written.contains("*") && !written.contains("@")
      let authority = isWildcard ? try domain(of: written) : try Authority(written)
      let path = String(text[pathStart...])
      if !path.isEmpty { try PathSyntax.checkPrefix(path) }
      return Match(
        host: authority.host.text, port: authority.port, path: path == "/" ? "" : path, isWildcard: isWildcard)
    }
  }

  /// The domain after the `*.` of a wildcard.
  private static func domain(of wildcard: Substring) throws(Refusal) -> Authority {
    let rest = wildcard.dropFirst(2)
    guard wildcard.hasPrefix("*."), !rest.contains("*") else {
      throw Refusal("a wildcard is \"*.\" and a domain, such as \"*.example.com\", for all hosts below it")
    }
    let domain = try Authority(rest)
    guard domain.host.address == nil else { throw Refusal("there are no hosts below an IP address") }
    guard domain.host.text.contains(".") else {
      throw Refusal("\"*.\(domain.host.text)\" would include hosts of other owners; a domain has two labels or more")
    }
    return domain
  }
}

extension Format<String> {
  /// The path prefix under which base-URL clients reach a route; read without a final slash.
  static var mount: Self {
    Format("a path such as /orders", .text("path", pattern: Patterns.pathPrefix)) { text throws(Refusal) in
      guard text != "/" else { return "" }
      try PathSyntax.checkPrefix(text)
      return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
  }
}

extension Format<URLParts> {
  /// An http or https URL with at most a path, such as `example`.
  static func baseURL(_ example: String) -> Self {
    Format(
      "a URL such as \(example)",
      .text("URL", pattern: Patterns.baseURL)
    ) {
      text throws(Refusal) in
      let url = try URLParts(text)
      try PathSyntax.check(url.target)
      return url
    }
  }

  /// The URL of a token endpoint: https, or http on this machine (RFC 6749 section 3.2).
  static var tokenEndpoint: Self {
    Format(
      "a URL such as https://login.example.com/oauth2/token",
      .text(
        "URL",
        pattern: Patterns.tokenEndpoint)
    ) { text throws(Refusal) in
      let url = try URLParts(text)
      guard url.origin.scheme == .https || url.origin.isLoopback else {
        throw Refusal("https only, or the client secret would travel unencrypted")
      }
      return url
    }
  }
}

extension URLParts {
  /// Parses `text`; a URL without a path has the path "/".
  init(_ text: String) throws(Refusal) {
    guard let separator = text.place(of: "://") else {
      throw Refusal(text.contains("/") || text.contains(":") || text.contains(".") ? "it begins with https://" : nil)
    }
    guard let scheme = Origin.Scheme(rawValue: text[..<separator.lowerBound].lowercased()) else {
      throw Refusal("only http and https can be used")
    }
    let rest = text[separator.upperBound...]
    let pathStart = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    let authority = try Authority(rest[..<pathStart])
    let target = rest[pathStart...]
    guard !target.contains("#") else { throw Refusal("leave out the fragment (#)") }
    try PathSyntax.checkBytes(Array(target.utf8))
    self.init(
      origin: Origin(scheme: scheme, host: authority.host.text, port: authority.port),
      target: target.hasPrefix("/") ? String(target) : "/\(target)")
  }
}
