internal import Encodings

/// Checks on paths of URLs (RFC 3986 section 3.3), which requests are compared with byte by byte.
enum PathSyntax {
  /// Refuses `path`, which must begin with "/", unless it means the same to every reader.
  static func check(_ path: String) throws(Refusal) {
    guard !path.contains("?") else { throw Refusal("leave out the query (?)") }
    guard !path.contains("#") else { throw Refusal("leave out the fragment (#)") }
    guard path.hasPrefix("/") else { throw Refusal("a path begins with /") }
    try checkBytes(Array(path.utf8))
    let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard !segments.contains(where: isDots) else { throw Refusal("leave out . and .. segments") }
    guard !segments.dropLast().contains("") else { throw Refusal("leave out the double slash") }
  }

  /// Refuses `path`, by which routes or what they serve are chosen, also where servers take it for another one.
  static func checkPrefix(_ path: String) throws(Refusal) {
    try check(path)
    guard !path.contains(";") else {
      throw Refusal("leave out ; and what follows it, which many servers take for parameters and no part of the path")
    }
    for segment in path.split(separator: "/") {
      let plain = segment.replacing("%20", with: " ").replacing("%2E", with: ".").replacing("%2e", with: ".")
      guard !plain.hasSuffix("."), !plain.hasSuffix(" "), !plain.hasPrefix(" ") else {
        throw Refusal("leave out the dots and spaces at the edge of \"\(segment)\", as some servers do")
      }
    }
    let bytes = Array(path.utf8)
    for index in bytes.indices where bytes[index] == UInt8(ascii: "%") {
      guard let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue else { continue }
      let byte = high << 4 | low
      if byte.isLetter || byte.isDigit || "-._~".utf8.contains(byte) {
        let written = String(decoding: bytes[index...index + 2], as: UTF8.self)
        throw Refusal("write \(Character(Unicode.Scalar(byte))) instead of \(written), which means the same")
      }
    }
  }

  /// Refuses bytes that do not belong in a URL as they are.
  static func checkBytes(_ bytes: [UInt8]) throws(Refusal) {
    for (index, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "%") {
        guard bytes.count > index + 2, bytes[index + 1].isHexDigit, bytes[index + 2].isHexDigit else {
          throw Refusal("a % must be followed by two hexadecimal digits")
        }
      } else if !(byte.isLetter || byte.isDigit || "/-._~!$&'()*+,;=:@?".utf8.contains(byte)) {
        throw Refusal("percent-encode what is not a letter, a digit or one of -._~!$&'()*+,;=:@/")
      }
    }
  }

  private static func isDots(_ segment: Substring) -> Bool {
    let plain = segment.lowercased()
    return [".", "..", "%2e", "%2e%2e", ".%2e", "%2e."].contains(plain)
  }
}
