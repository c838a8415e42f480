/// Makes words from outside fit for logs, problem bodies and header fields.
enum PrintableText {
  private static let longest = 200

  /// `text` as printable ASCII without `"` and `\` (the characters of RFC 6749, 5.2), about 200 of them at most. Runs of
  /// anything else become one space; spaces at either end, and full stops at the end, are dropped.
  static func cleaned(_ text: some Sequence<UInt8>) -> String {
    var cleaned = ""
    var pendingSpace = false
    for byte in text {
      switch byte {
      case 0x21, 0x23...0x5B, 0x5D...0x7E:
        if pendingSpace, !cleaned.isEmpty { cleaned.append(" ") }
        pendingSpace = false
        cleaned.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        pendingSpace = true
      }
      if cleaned.utf8.count >= longest { break }
    }
    while cleaned.last == "." || cleaned.last == " " { cleaned.removeLast() }
    return cleaned
  }

  static func cleaned(_ text: String) -> String { cleaned(text.utf8) }
}
