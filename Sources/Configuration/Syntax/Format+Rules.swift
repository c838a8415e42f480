internal import Addresses
internal import Encodings

extension Format<IPNetwork> {
  /// `10.0.0.0/8`, `fd00::/8`, or one address.
  static var network: Self {
    Format("an address or a range of addresses such as 10.0.0.0/8") { text throws(Refusal) in
      guard !text.contains("[") else { throw Refusal("leave out the brackets") }
      guard let slash = text.firstIndex(of: "/") else { return IPNetwork(try address(text)) }
      let address = try address(text[..<slash])
      guard let length = wholeNumber(text[text.index(after: slash)...]),
        let network = IPNetwork(address, prefixLength: length)
      else { throw Refusal("behind the slash stands a number of bits, 32 at most, or 128 with IPv6") }
      // The bits behind the prefix mean nothing: whoever wrote some meant another range, or one address.
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
    Format("a method such as GET") { text throws(Refusal) in
      let isToken = text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
      guard !text.isEmpty, text.utf8.count <= 32, isToken else { throw Refusal() }
      guard text != "CONNECT", text != "TRACE" else { throw Refusal("the proxy never forwards it") }
      let capitals = text.uppercased()
      guard !commonMethods.contains(capitals) || text == capitals else {
        throw Refusal("methods tell capitals from small letters; this one is \(capitals)")
      }
      return text
    }
  }

  private static var commonMethods: Set<String> { ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] }

  /// What a path begins with.
  static var pathPrefix: Self {
    Format("a path such as /v1/") { text throws(Refusal) in
      try PathSyntax.check(text)
      return text
    }
  }
}
