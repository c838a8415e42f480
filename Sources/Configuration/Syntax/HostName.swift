internal import Addresses
internal import Encodings

/// The host of a URL or a match, in the canonical form in which hosts are compared.
struct HostName: Hashable {
  /// A name in lower case without a final dot, or an address in canonical form without brackets.
  let text: String
  /// The address, if it is one.
  let address: IPAddress?

  /// Parses `text`, in which an IPv6 address has no brackets; nil if it is not a host.
  init?(_ text: String) {
    if let address = IPAddress(text) {
      self.init(address)
    } else {
      guard let name = try? Self(name: text) else { return nil }
      self = name
    }
  }

  /// Parses `text` as in URLs and proxy.conf: an IPv6 address has brackets.
  init(written text: some StringProtocol) throws(Refusal) {
    if text.hasPrefix("[") || text.hasSuffix("]") {
      guard text.hasPrefix("["), text.hasSuffix("]"), text.contains(":"),
        let address = IPAddress(text.dropFirst().dropLast())
      else { throw Refusal("the brackets must hold an IPv6 address such as [::1]") }
      self.init(address)
    } else if text.contains(":") {
      throw Refusal("an IPv6 address must be in brackets, such as [::1]")
    } else if let address = IPAddress(text) {
      self.init(address)
    } else {
      try self.init(name: text)
    }
  }

  private init(_ address: IPAddress) {
    self.text = address.text
    self.address = address
  }

  private init(name written: some StringProtocol) throws(Refusal) {
    guard !written.isEmpty else { throw Refusal("the host is missing") }
    guard written.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw Refusal("write an international name in its ASCII form, which begins with xn--")
    }
    guard !written.contains("%") else { throw Refusal("a host must not be percent-encoded") }
    guard !written.contains("*") else { throw Refusal("a wildcard is only allowed in match; write the host out") }
    let name = (written.hasSuffix(".") ? String(written.dropLast()) : String(written)).lowercased()
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard name.utf8.count <= 253, labels.allSatisfy(Self.isLabel) else {
      throw Refusal("a host consists of letters, digits, \"-\", \"_\" and single dots")
    }
    // Resolvers take 127.1, 2130706433 and 0x7f.1 for addresses; a name never ends in a number.
    if let last = labels.last, last.allSatisfy(\.isDigit) || last.starts(with: "0x".utf8) {
      throw Refusal("an IPv4 address has four numbers from 0 to 255 without leading zeros")
    }
    self.text = name
    self.address = nil
  }

  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    !label.isEmpty && label.count <= 63 && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
      && label.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  }

  /// Whether it is this machine: 127.0.0.0/8, ::1 or localhost.
  var isLoopback: Bool { address?.isLoopback ?? (text == "localhost") }
}

/// `host` as it is written before a port: IPv6 addresses get brackets.
func bracketed(_ host: String) -> String {
  host.contains(":") ? "[\(host)]" : host
}

/// Host and port as in URLs and matches (RFC 3986 section 3.2).
struct Authority {
  let host: HostName
  let port: UInt16?

  /// Parses `text`; an IPv6 address has brackets.
  init(_ text: some StringProtocol) throws(Refusal) {
    guard !text.contains("@") else { throw Refusal("leave out user name and password", hidesValue: true) }
    let afterHost =
      text.hasPrefix("[") ? text.firstIndex(of: "]").map { text.index(after: $0) } : text.firstIndex(of: ":")
    guard let afterHost, afterHost < text.endIndex else {
      host = try HostName(written: text)
      port = nil
      return
    }
    // Several colons: an IPv6 address without brackets, for which HostName has a message.
    let isBareIPv6 = !text.hasPrefix("[") && text[afterHost...].dropFirst().contains(":")
    host = try HostName(written: isBareIPv6 ? text[...] : text[..<afterHost])
    guard text[afterHost...].hasPrefix(":"), let port = wholeNumber(text[afterHost...].dropFirst()),
      let port = UInt16(exactly: port), port > 0
    else { throw Refusal("a port is a number from 1 to 65535") }
    self.port = port
  }
}
