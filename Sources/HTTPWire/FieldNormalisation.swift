/// Corrects the lines of a head that violate RFC 9112 but that every program reads in the same way. The result goes through the
/// strict parser like any other head.
public enum NormalisedFields {
  /// Where the field lines of a request begin, and where its head ends; nil while the end has not arrived.
  ///
  /// - Parameter searched: how many bytes were searched before, without finding the end.
  public static func bounds(of head: Span<UInt8>, leading: Int, searched: Int) -> Range<Int>? {
    var line = leading
    while line < head.count, head[line] != lf { line += 1 }
    var end = max(line + 4, searched)
    while end <= head.count {
      if head[end - 1] == lf, head[end - 2] == cr, head[end - 3] == lf, head[end - 4] == cr { return line + 1..<end }
      end += 1
    }
    return nil
  }
}

// Folded fields (obs-fold, RFC 9112 section 5.2).
extension NormalisedFields {
  /// Whether a folded field of this name may be unfolded: only fields that describe the content, or the client's preferences,
  /// which is what mail libraries fold (SAAJ builds its Content-Type with one). The list is closed: it has no field that frames
  /// the message, routes it, carries credentials, or that a rule of the proxy reads, since a program in front of the proxy may
  /// have read the folded form differently.
  public static func mayFold(_ bytes: Span<UInt8>, _ name: ByteRange) -> Bool {
    switch name.count {
    case 6: bytes.equals("accept", ignoringCaseAt: name)
    case 10:
      bytes.equals("soapaction", ignoringCaseAt: name) || bytes.equals("content-id", ignoringCaseAt: name)
        || bytes.equals("user-agent", ignoringCaseAt: name)
    case 12: bytes.equals("content-type", ignoringCaseAt: name) || bytes.equals("mime-version", ignoringCaseAt: name)
    case 14: bytes.equals("accept-charset", ignoringCaseAt: name)
    case 15:
      bytes.equals("accept-language", ignoringCaseAt: name)
        || bytes.equals("accept-encoding", ignoringCaseAt: name)
    case 16: bytes.equals("content-language", ignoringCaseAt: name)
    case 19:
      bytes.equals("content-disposition", ignoringCaseAt: name)
        || bytes.equals("content-description", ignoringCaseAt: name)
    case 25: bytes.equals("content-transfer-encoding", ignoringCaseAt: name)
    default: false
    }
  }

  /// The field lines at `range` with each fold replaced by one space.
  ///
  /// - Throws: `foldedField` if a field must not be folded, if a line consists of whitespace only, which ends the head for some
  ///   programs, or if a continuation line looks like a field.
  public static func unfolded(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(WireError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    var line = range.lowerBound
    var mayFold = false
    while line < range.upperBound {
      let end = lineEnd(bytes, from: line, to: range.upperBound)
      if bytes[line] == space || bytes[line] == tab {
        let text = bytes.firstNotBlank(from: line, to: end)
        guard mayFold, text < end - 2, !looksLikeField(bytes, from: text, to: end) else { throw .foldedField }
        result.removeLast(2)
        while let last = result.last, last == space || last == tab { result.removeLast() }
        result.append(space)
        for offset in text..<end { result.append(bytes[offset]) }
      } else {
        let name = ByteRange(line..<bytes.firstNotToken(from: line, to: end))
        mayFold = bytes[Int(name.end)] == UInt8(ascii: ":") && Self.mayFold(bytes, name)
        for offset in line..<end { result.append(bytes[offset]) }
      }
      line = end
    }
    return result
  }

  /// The end of the line that begins at `start`, after its CR LF.
  private static func lineEnd(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var position = start + 1
    while position < end {
      if bytes[position] == lf, bytes[position - 1] == cr { return position + 1 }
      position += 1
    }
    return end
  }

  private static func looksLikeField(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
    let name = bytes.firstNotToken(from: start, to: end)
    let colon = bytes.firstNotBlank(from: name, to: end)
    return name > start && colon < end && bytes[colon] == UInt8(ascii: ":")
  }
}

// Lines that end with a bare LF.
extension NormalisedFields {
  /// The field lines at `range`, some of which end with a bare LF, with CR LF at the end of all. For a head that is not
  /// forwarded: no program behind the proxy can read it differently.
  ///
  /// - Throws: `bareLineFeed` if programs that accept LF as a line end see the end of the head at another place than programs
  ///   that do not, or if a field is folded.
  public static func withLineEnds(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(WireError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count + 16)
    for offset in range {
      let byte = bytes[offset]
      guard byte == lf, bytes[offset - 1] != cr else {
        result.append(byte)
        continue
      }
      // The range ends with CR LF CR LF, so another byte follows.
      switch bytes[offset + 1] {
      case cr, lf, space, tab: throw .bareLineFeed
      default: break
      }
      result.append(cr)
      result.append(lf)
    }
    return result
  }
}
