import Glibc

/// An IP address, read from its text strictly: no octal, no hexadecimal, no shortened IPv4, no zone.
enum IPAddress: Hashable {
  case v4([UInt8])
  case v6([UInt8])

  init?(_ text: some StringProtocol) {
    if text.contains(":") { self.init(v6: String(text)) } else { self.init(v4: text) }
  }

  private init?(v4 text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var octets: [UInt8] = []
    for part in parts {
      // UInt8's own parser takes "+1" and "007".
      guard part.utf8.allSatisfy(\.isDigit), part == "0" || !part.hasPrefix("0"), let octet = UInt8(part) else {
        return nil
      }
      octets.append(octet)
    }
    self = .v4(octets)
  }

  private init?(v6 text: String) {
    guard !text.contains("\0") else { return nil }
    var octets = [UInt8](repeating: 0, count: 16)
    guard unsafe inet_pton(AF_INET6, text, &octets) == 1 else { return nil }
    self = .v6(octets)
  }

  /// The canonical text (RFC 5952 for IPv6), without brackets.
  var text: String {
    switch self {
    case .v4(let octets):
      return octets.map { String($0) }.joined(separator: ".")
    case .v6(var octets):
      var characters = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      unsafe inet_ntop(AF_INET6, &octets, &characters, socklen_t(characters.count))
      return String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// Whether it is in 127.0.0.0/8 or ::1, or the former mapped into IPv6.
  var isLoopback: Bool {
    switch self {
    case .v4(let octets): octets[0] == 127
    case .v6(let octets):
      octets.dropLast().allSatisfy { $0 == 0 } && octets[15] == 1
        || octets.prefix(10).allSatisfy { $0 == 0 } && octets[10...11].allSatisfy { $0 == 0xFF } && octets[12] == 127
    }
  }
}
