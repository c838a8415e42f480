internal import Encodings

/// What this process calls itself in Via (RFC 9110 section 7.6.3): a name that no other has, so that a request that
/// comes back is told from one that another m2m-proxy sent on.
struct ViaName: Sendable {
  /// In lower case.
  let bytes: [UInt8]

  /// A name of a new process.
  init() {
    let number = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    bytes = Array(("m2m-proxy-" + String(repeating: "0", count: 8 - number.count) + number).utf8)
  }

  /// Whether the name occurs in `value`, in any case. As bytes: a client can send as much of it as a head has room for.
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
