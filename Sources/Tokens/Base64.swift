/// Base64 (RFC 4648): encoding with the standard alphabet, decoding with the URL-safe one that JWTs use.
///
/// It works byte by byte into the caller's memory, so that secrets leave no copies behind.
enum Base64 {
  /// The length of the encoding of `count` bytes, padding included.
  static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Hands the padded encoding of `bytes` to `write`.
  static func encode(_ bytes: Span<UInt8>, _ write: (UInt8) -> Void) {
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let present = min(3, bytes.count - start)
      var group: UInt32 = 0
      for offset in 0..<3 { group = group << 8 | (offset < present ? UInt32(bytes[start + offset]) : 0) }
      for place in 0..<4 {
        let value = UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * place)) & 63
        write(place <= present ? character(value) : UInt8(ascii: "="))
      }
    }
  }

  /// The bytes that `text` encodes in the URL-safe alphabet without padding (RFC 7515, 2), or nil.
  static func decodeURLSafe(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count / 4 * 3 + 2)
    var group: UInt32 = 0
    var bits = 0
    for position in text.indices {
      guard let value = value(text[position]) else { return nil }
      group = group << 6 | UInt32(value)
      bits += 6
      guard bits >= 8 else { continue }
      bits -= 8
      decoded.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
    }
    return decoded
  }

  private static func character(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }

  private static func value(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
    case UInt8(ascii: "-"): 62
    case UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
