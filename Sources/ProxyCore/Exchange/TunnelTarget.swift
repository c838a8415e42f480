internal import Encodings
internal import HTTPWire

/// The target of a tunnel whose requests are served here instead.
struct TunnelTarget {
  /// The host as written, without brackets and without the dot that may end a name, in lower case.
  let host: [UInt8]
  let kind: Authority.Kind
  let port: UInt16
  /// Whether the client speaks TLS inside.
  var isSecure = false
  /// The name that the client requested in TLS, if it differs.
  var otherServerName: String?

  var hostText: String { String(decoding: host, as: UTF8.self) }

  /// As it is written in a request target or a Host field.
  var authority: String { host.contains(UInt8(ascii: ":")) ? "[\(hostText)]:\(port)" : "\(hostText):\(port)" }

  /// Whether `authority`, whose text is in `bytes`, is the same host and port; without a port it means the tunnel's.
  func isNamed(by authority: Authority, in bytes: Span<UInt8>) -> Bool {
    guard authority.port ?? port == port else { return false }
    guard case .name = kind else { return authority.kind == kind }
    let name = authority.nameWithoutDot
    guard case .name = authority.kind, name.range.count == host.count else { return false }
    let start = Int(name.start)
    for index in host.indices where host[index] != bytes[start + index].asciiLowercased { return false }
    return true
  }
}
