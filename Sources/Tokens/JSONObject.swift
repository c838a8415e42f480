/// The members of a JSON object (RFC 8259), by where they stand in the bytes they were read from.
///
/// A reader of our own, since a token is not to be copied to memory that nobody wipes, and since a repeated member has
/// to be seen: decoders keep one of the two without a word.
struct JSONObject {
  /// A member's value.
  enum Value: Hashable {
    /// The bytes between the quotation marks, escapes included.
    case string(Range<Int>)
    /// The bytes of the number.
    case number(Range<Int>)
    case bool(Bool)
    case null
    /// An object or an array; checked, and passed over.
    case nested
  }

  private var members: [String: Value] = [:]

  /// Reads `bytes`, which must hold one object and nothing else.
  init(_ bytes: Span<UInt8>) throws(JSONProblem) {
    var scanner = JSONScanner(bytes)
    scanner.skipByteOrderMark()
    scanner.skipWhitespace()
    let isObject = scanner.next == UInt8(ascii: "{")
    var members: [String: Value] = [:]
    var repeated = false
    if isObject {
      try scanner.scanObject(depth: 1) { name, value in
        var text: [UInt8] = []
        JSONText.unescape(bytes.extracting(name)) { text.append($0) }
        if members.updateValue(value, forKey: String(decoding: text, as: UTF8.self)) != nil { repeated = true }
      }
    } else {
      _ = try scanner.scanValue(depth: 1)
    }
    scanner.skipWhitespace()
    guard scanner.next == nil else { throw .notJSON }
    guard isObject else { throw .notAnObject }
    guard !repeated else { throw .repeatedMember }
    self.members = members
  }

  /// The member called `name`; a null counts as none.
  subscript(name: String) -> Value? {
    let value = members[name]
    return value == .null ? nil : value
  }
}
