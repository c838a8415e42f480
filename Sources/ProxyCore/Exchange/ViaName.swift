internal import Encodings

/// This process's name in Via (RFC 9110 section 7.6.3). No other process has the same, so that a request that comes
/// back differs from one that another m2m-proxy forwarded.
struct ViaName: Sendable {
  /// In lower case.
  let bytes: [UInt8]

  /// Makes a name for this process.
  init() {
    let number = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    bytes = Array(("m2m-proxy-" + String(repeating: "0", count: 8 - number.count) + number).utf8)
  }

  /// Whether the name occurs in `value`, in any case. Compares bytes: the value can be as long as a head.
  func occurs(in value: Span<UInt8>) -> Bool {
    var index = 0
    while index + bytes.count <= value.count {
      var length = 0
      while length < bytes.count, value[index + length].asciiLowercased == bytes[length] { length += 1 }
      if length == bytes.count { return true }
      index += 1
    }
    return false
  }
}
