/// A part of a server's paths: all of them, or those at and below a prefix. A prefix ends at a segment boundary: `/api` covers
/// `/api` and `/api/orders`, but not `/apis`; `/api/` covers every path that begins with it, but not `/api`.
public struct PathPrefix: Hashable, Sendable {
  let bytes: [UInt8]

  /// The prefix `text`; an empty one covers every path.
  public init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// The text of the prefix.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Its length in bytes. If two prefixes cover a path, the longer one is more specific.
  public var length: Int { bytes.count }

  var hash: FNV1a {
    var hash = FNV1a()
    for byte in bytes { hash.add(byte) }
    return hash
  }

  /// Whether `path`, without decoding, lies at or below the prefix.
  public func covers(_ path: Span<UInt8>) -> Bool {
    guard bytes.count <= path.count else { return false }
    for index in bytes.indices where bytes[index] != path[index] { return false }
    guard bytes.count < path.count, let last = bytes.last, last != UInt8(ascii: "/") else { return true }
    return path[bytes.count] == UInt8(ascii: "/")
  }

  /// Whether `path`, which the prefix covers, leaves it when dot segments are removed as in RFC 3986 sections 5.2.4 and 6.2.2.2
  /// (`%2e` is a dot). Every server that removes dot segments agrees on that.
  public func isLeft(by path: Span<UInt8>) -> Bool {
    var depth = 0
    var start = bytes.count
    if bytes.last != UInt8(ascii: "/"), start < path.count { start += 1 }
    while start <= path.count {
      var end = start
      while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
      switch Self.dots(path, start..<end) {
      case 1: break
      case 2: depth -= 1
      default: depth += 1
      }
      if depth < 0 { return true }
      start = end + 1
    }
    return false
  }

  /// The number of dots if a segment consists only of dots; otherwise 0.
  private static func dots(_ path: Span<UInt8>, _ segment: Range<Int>) -> Int {
    var dots = 0
    var index = segment.lowerBound
    while index < segment.upperBound {
      if path[index] == UInt8(ascii: ".") {
        index += 1
      } else if index + 2 < segment.upperBound, path[index] == UInt8(ascii: "%"), path[index + 1] == UInt8(ascii: "2"),
        path[index + 2] | 0x20 == UInt8(ascii: "e")
      {
        index += 3
      } else {
        return 0
      }
      dots += 1
    }
    return dots
  }
}
