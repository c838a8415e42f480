internal import Encodings

extension Format<ListenAddress> {
  /// A ``Format/tcpAddress``, `unix:/path`, `systemd` or `systemd:NAME`.
  static var listenAddress: Self {
    let tcp = Format<TCPAddress>.tcpAddress
    return Format(tcp.expected) { text throws(Refusal) in
      if text.hasPrefix("unix:") { return .unix(path: try path(text.dropFirst("unix:".count))) }
      if text == "systemd" { return .systemd(name: nil) }
      if text.hasPrefix("systemd:") { return .systemd(name: try name(text.dropFirst("systemd:".count))) }
      guard !text.hasPrefix("/") else { throw Refusal("a Unix socket is written unix:\(shownPath(text))") }
      return .tcp(try tcp.read(text))
    }
  }

  /// `text` where it is a path, and one for which there can be a socket: what is none may be all the rest of the file.
  private static func shownPath(_ text: String) -> String {
    guard text.utf8.count < 108, let path = try? path(text[...]) else { return "/path" }
    return path
  }

  private static func path(_ text: Substring) throws(Refusal) -> String {
    guard !text.isEmpty, !text.hasSuffix("/") else { throw Refusal("the path of the socket is missing") }
    guard !text.hasPrefix("@"), !text.utf8.contains(0) else {
      throw Refusal("a socket without a file has no permissions: anybody could use it")
    }
    guard !text.hasPrefix("//") else { throw Refusal("one slash is enough: unix:/path") }
    guard !text.utf8.contains(where: \.isControl) else { throw Refusal("it must be a single line") }
    return String(text)
  }

  /// What FileDescriptorName of a .socket unit may be (systemd.socket(5)).
  private static func name(_ text: Substring) throws(Refusal) -> String {
    let isName = !text.utf8.contains { $0.isControl || $0 >= 0x7F || $0 == UInt8(ascii: ":") }
    guard !text.isEmpty, text.utf8.count <= 255, isName else {
      throw Refusal("systemd:NAME has the FileDescriptorName of the .socket unit")
    }
    return String(text)
  }
}
