extension Format<URLParts> {
  /// An http or https URL with a path at most; `example` is one.
  static func baseURL(_ example: String) -> Self {
    Format("a URL such as \(example)") { text throws(Refusal) in
      let url = try URLParts(text)
      try PathSyntax.check(url.target)
      return url
    }
  }

  /// The URL of a token endpoint: https, or http on this machine (RFC 6749 section 3.2).
  static var tokenEndpoint: Self {
    Format("a URL such as https://login.example.com/oauth2/token") { text throws(Refusal) in
      let url = try URLParts(text)
      guard url.origin.scheme == .https || url.origin.isLoopback else {
        throw Refusal("https only, or the client secret would travel unencrypted")
      }
      return url
    }
  }
}

extension URLParts {
  /// Reads `text`; a URL without a path has the path "/".
  init(_ text: String) throws(Refusal) {
    guard let separator = text.firstRange(of: "://") else {
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
