/// Host and port as URLs and matches write them (RFC 3986 section 3.2).
struct Authority {
  let host: HostName
  let port: UInt16?

  /// Reads `text`; an IPv6 address has brackets.
  init(_ text: some StringProtocol) throws(Refusal) {
    guard !text.contains("@") else { throw Refusal("leave out user name and password", hidesValue: true) }
    let afterHost =
      text.hasPrefix("[") ? text.firstIndex(of: "]").map { text.index(after: $0) } : text.firstIndex(of: ":")
    guard let afterHost, afterHost < text.endIndex else {
      host = try HostName(written: text)
      port = nil
      return
    }
    // Several colons: an IPv6 address that lacks its brackets, which HostName has the words for.
    let isBareIPv6 = !text.hasPrefix("[") && text[afterHost...].dropFirst().contains(":")
    host = try HostName(written: isBareIPv6 ? text[...] : text[..<afterHost])
    guard text[afterHost...].hasPrefix(":"), let port = wholeNumber(text[afterHost...].dropFirst()),
      let port = UInt16(exactly: port), port > 0
    else { throw Refusal("a port is a number from 1 to 65535") }
    self.port = port
  }
}
