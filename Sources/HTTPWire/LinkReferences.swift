/// The URI references in the value of a field: the whole of `Location` and `Content-Location`; of `Link` (RFC 8288 3) the
/// targets, and the contexts that `anchor` names.
///
/// It ends at what does not follow the grammar.
struct LinkReferences {
  private var position: Int
  private let end: Int
  private let isList: Bool
  // Behind a link's target, up to the comma that ends the link.
  private var isInParameters = false

  init(_ line: FieldLine) {
    position = Int(line.value.start)
    end = Int(line.value.end)
    isList = line.known == .link
  }

  mutating func next(_ bytes: Span<UInt8>) -> ByteRange? {
    guard isList else { return rest() }
    while true {
      if !isInParameters { return target(bytes) }
      guard position < end else { return nil }
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        guard let closing = closingQuote(bytes) else { return stop() }
        position = closing + 1
      case UInt8(ascii: ";"):
        position += 1
        if let anchor = anchor(bytes) { return anchor }
      default:
        position += 1
        isInParameters = byte != UInt8(ascii: ",")
      }
    }
  }

  private mutating func rest() -> ByteRange? {
    guard position < end else { return nil }
    defer { position = end }
    return ByteRange(position..<end)
  }

  private mutating func stop() -> ByteRange? {
    position = end
    return nil
  }

  /// What stands between `<` and `>`, behind empty elements of the list.
  private mutating func target(_ bytes: Span<UInt8>) -> ByteRange? {
    while position < end, [space, tab, UInt8(ascii: ",")].contains(bytes[position]) { position += 1 }
    guard position < end, bytes[position] == UInt8(ascii: "<") else { return stop() }
    let start = position + 1
    position = start
    while position < end, bytes[position] != UInt8(ascii: ">") { position += 1 }
    guard position < end else { return stop() }
    defer { position += 1 }
    isInParameters = true
    return ByteRange(start..<position)
  }

  /// The value of the parameter at this place, if it is `anchor`, and is written without escapes.
  private mutating func anchor(_ bytes: Span<UInt8>) -> ByteRange? {
    position = bytes.firstNotBlank(from: position, to: end)
    guard end - position >= 6, bytes.equals("anchor", count: 6, at: position) else { return nil }
    let equals = bytes.firstNotBlank(from: position + 6, to: end)
    guard equals < end, bytes[equals] == UInt8(ascii: "=") else { return nil }
    position = bytes.firstNotBlank(from: equals + 1, to: end)
    guard position < end, bytes[position] == UInt8(ascii: "\""), let closing = closingQuote(bytes) else { return nil }
    let value = ByteRange(position + 1..<closing)
    for offset in value.range where bytes[offset] == UInt8(ascii: "\\") { return nil }
    position = closing + 1
    return value
  }

  /// Where the quoted string ends that begins here (RFC 9110 5.6.4).
  private func closingQuote(_ bytes: Span<UInt8>) -> Int? {
    var position = position + 1
    while position < end, bytes[position] != UInt8(ascii: "\"") {
      position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return position < end ? position : nil
  }
}
