/// A part of a server's paths: everything, or what lies at and below a prefix. Prefixes end at segment boundaries:
/// `/api` covers `/api` and `/api/orders`, not `/apis`; `/api/` covers what begins so, and not `/api`.
struct PathPrefix: Hashable, Sendable {
  private let bytes: [UInt8]

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// The longer of two prefixes that cover a path is the more specific one.
  var length: Int { bytes.count }

  var hash: FNV1a {
    var hash = FNV1a()
    for byte in bytes { hash.add(byte) }
    return hash
  }

  func covers(_ path: Span<UInt8>) -> Bool {
    guard bytes.count <= path.count else { return false }
    for index in bytes.indices where bytes[index] != path[index] { return false }
    guard bytes.count < path.count, let last = bytes.last, last != UInt8(ascii: "/") else { return true }
    return path[bytes.count] == UInt8(ascii: "/")
  }

  /// Whether `path`, which the prefix covers, leads out of it by way of dot segments.
  ///
  /// The path is forwarded as it was sent, and it is the upstream that resolves it: so encoded dots and separators
  /// count as what they may be taken for, and empty segments count for nothing.
  func isLeft(by path: Span<UInt8>) -> Bool {
    var reader = SegmentReader(path, from: bytes.count)
    var depth = 0
    while let segment = reader.next() {
      switch segment {
      case .empty, .current: continue
      case .parent: depth -= 1
      case .named: depth += 1
      }
      if depth < 0 { return true }
    }
    return false
  }
}

/// Walks the segments of a path as the most lenient server would read them.
private struct SegmentReader: ~Escapable {
  enum Segment {
    case empty, current, parent, named
  }

  private let path: Span<UInt8>
  private var position: Int
  private var isAtEnd = false

  @_lifetime(copy path)
  init(_ path: Span<UInt8>, from position: Int) {
    self.path = path
    self.position = position
  }

  mutating func next() -> Segment? {
    guard !isAtEnd else { return nil }
    var dots = 0
    var others = 0
    while true {
      guard let byte = decoded() else {
        isAtEnd = true
        break
      }
      if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") { break }
      // What follows a semicolon is a parameter to some servers: "..;x" is ".." to them.
      if byte == UInt8(ascii: ";") {
        skipParameters()
        break
      }
      if byte == UInt8(ascii: ".") { dots += 1 } else { others += 1 }
    }
    return switch (dots, others) {
    case (0, 0): .empty
    case (1, 0): .current
    case (2, 0): .parent
    default: .named
    }
  }

  private mutating func skipParameters() {
    while let byte = decoded() {
      if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") { return }
    }
    isAtEnd = true
  }

  /// The next character, as a server might see it that decodes too often, or too much.
  private mutating func decoded() -> UInt8? {
    guard let byte = decodedByte() else { return nil }
    // UTF-8 of two bytes where one would do, which is invalid and was read by some all the same: %c0%ae is a dot.
    guard byte & 0xfe == 0xc0 else { return byte }
    let behind = position
    guard let next = decodedByte(), next & 0xc0 == 0x80 else {
      position = behind
      return byte
    }
    return (byte & 0x01) << 6 | (next & 0x3f)
  }

  /// The next byte, percent-decoded until there is nothing left to decode: %252e is %2e to one, and a dot to another.
  private mutating func decodedByte() -> UInt8? {
    guard position < path.count else { return nil }
    guard var byte = octet(at: position + 1), path[position] == UInt8(ascii: "%") else {
      position += 1
      return path[position - 1]
    }
    position += 3
    while byte == UInt8(ascii: "%"), let inner = octet(at: position) {
      byte = inner
      position += 2
    }
    return byte
  }

  /// The byte that two hexadecimal digits at `start` stand for.
  private func octet(at start: Int) -> UInt8? {
    guard start + 1 < path.count, let high = hexadecimal(path[start]), let low = hexadecimal(path[start + 1]) else {
      return nil
    }
    return high << 4 | low
  }

  private func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
