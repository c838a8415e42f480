public import Addresses
internal import Encodings

/// Which matching requests a route serves; nil for no restriction.
public struct RouteRules: Sendable, Hashable {
  /// The clients that may use it.
  public var allow: [IPNetwork]?
  /// The callers that may use it: indices into ``ProxyConfiguration/callers``.
  public var callers: [Int]?
  /// The methods that are forwarded, exactly as written.
  public var methods: [String]?
  /// The path prefixes that are forwarded; each ends at a segment boundary, or with "/".
  public var paths: [String]?

  /// Rules without restrictions, except for `allow`.
  public init(allow: [IPNetwork]? = nil) {
    self.allow = allow
  }
}

extension Setting {
  /// The values of a list without duplicates, or a single value as a list of one; nil after a problem was reported.
  func distinct<Value: Hashable>(_ format: Format<Value>) -> [Value]? {
    guard let items = items(format.expected) else { return nil }
    var values: [Value] = []
    for item in items {
      guard let value = item.value(format) else { return nil }
      if values.contains(value) { item.complain("is \(displayed("\(value)")), which is in the list already") }
      values.append(value)
    }
    return values
  }
}

extension RouteRules {
  /// Reads `allow`, `callers`, `methods` and `paths` of a route. If one is not valid, there is a problem and no configuration.
  static func read(_ section: Section, callers: CallersTable) -> RouteRules {
    var rules = RouteRules()
    rules.allow = section[RouteSettings.allow]?.distinct(.network)
    rules.callers = section[RouteSettings.callers].flatMap(callers.indices)
    rules.methods = section[RouteSettings.methods]?.distinct(.method)
    rules.paths = section[RouteSettings.paths]?.distinct(.pathPrefix)
    return rules
  }
}

extension Format<IPNetwork> {
  /// `10.0.0.0/8`, `fd00::/8`, or one address.
  static var network: Self {
    Format(
      "an address or a range of addresses such as 10.0.0.0/8",
      .text(
        "range",
        pattern: Patterns.network)
    ) { text throws(Refusal) in
      guard !text.contains("[") else { throw Refusal("leave out the brackets") }
      guard let slash = text.firstIndex(of: "/") else { return IPNetwork(try address(text)) }
      let address = try address(text[..<slash])
      guard let length = wholeNumber(text[text.index(after: slash)...]),
        let network = IPNetwork(address, prefixLength: length)
      else { throw Refusal("after the slash comes a number of bits, at most 32, or 128 with IPv6") }
      // Bits after the prefix have no meaning: if some are set, another range or a single address was meant.
      guard network.address == address.unmapped || network.address == address else {
        throw Refusal("that range is \(network), and the address alone \(address.text)")
      }
      return network
    }
  }

  private static func address(_ text: some StringProtocol) throws(Refusal) -> IPAddress {
    if let address = IPAddress(text) { return address }
    throw Refusal(text.utf8.contains(where: \.isLetter) && !text.contains(":") ? "an IP address, not a name" : nil)
  }
}

extension Format<String> {
  /// A method of requests (RFC 9110 section 9.1).
  static var method: Self {
    Format(
      "a method such as GET",
      .text(
        "method",
        pattern: Patterns.method)
    ) {
      text throws(Refusal) in
      let isToken = text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
      guard !text.isEmpty, text.utf8.count <= 32, isToken else { throw Refusal() }
      guard text != "CONNECT", text != "TRACE" else { throw Refusal("the proxy never forwards it") }
      let capitals = text.uppercased()
      guard !commonMethods.contains(capitals) || text == capitals else {
        throw Refusal("methods are case-sensitive; this one is \(capitals)")
      }
      return text
    }
  }

  static var commonMethods: Set<String> { ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] }

  /// A path prefix.
  static var pathPrefix: Self {
    Format("a path such as /v1/", .text("path", pattern: Patterns.pathPrefix)) { text throws(Refusal) in
      try PathSyntax.checkPrefix(text)
      return text
    }
  }
}
