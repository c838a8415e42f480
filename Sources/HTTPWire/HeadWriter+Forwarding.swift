import Bytes
internal import Encodings

extension HeadWriter {
  /// Writes the fields of `head` in order, names and values as received, except the names in `dropping` and those that
  /// Connection names.
  ///
  /// Connection cannot remove framing, Host, Authorization and Via: those are written again or kept. `name` is dropped too, and
  /// so is a name that software that treats `_` like `-` (CGI, WSGI) takes for it.
  public mutating func forwardFields(
    of head: borrowing RequestHead, _ bytes: Span<UInt8>, dropping: FieldNameSet = .notForwardedInRequests,
    alsoDropping name: [UInt8]? = nil
  ) {
    forward(head.fields, head.facts, bytes, dropping, alsoDropping: name, ownPseudonym: nil)
  }

  /// As for a request. Also drops `Proxy-Status` lines that use `ownPseudonym`: only this proxy may. References to the upstream
  /// are rewritten by `links`, if it is set.
  public mutating func forwardFields(
    of head: borrowing ResponseHead, _ bytes: Span<UInt8>, dropping: FieldNameSet = .notForwardedInResponses,
    links: LinkMap? = nil, ownPseudonym: StaticString = "m2m-proxy"
  ) {
    // RFC 9110 section 8.6: no Content-Length with these.
    let isWithoutLength = head.isInterim || head.status == 204
    forward(
      head.fields, head.facts, bytes, isWithoutLength ? dropping.union([.contentLength]) : dropping,
      links: links, ownPseudonym: ownPseudonym)
  }

  private mutating func forward(
    _ fields: [FieldLine], _ facts: borrowing FieldFacts, _ bytes: Span<UInt8>, _ dropping: FieldNameSet,
    alsoDropping name: [UInt8]? = nil, links: LinkMap? = nil, ownPseudonym: StaticString?
  ) {
    // Consecutive lines that need no change are copied together.
    var run = 0..<0
    for line in fields {
      if dropping.contains(line.known) || isNamed(line, facts.options, bytes) { continue }
      if let name, reads(line, as: name, bytes) { continue }
      if line.known == .proxyStatus, let ownPseudonym, names(ownPseudonym, line.value, bytes) { continue }
      if let links, FieldNameSet.links.contains(line.known) {
        copy(bytes, run)
        run = 0..<0
        writeLinks(line, bytes, links)
        continue
      }
      guard line.isPlain(bytes), !line.isPaddedLength(bytes) else {
        copy(bytes, run)
        run = 0..<0
        if line.known == .contentLength, let length = facts.contentLength {
          writeAnew(line, bytes, length)
        } else {
          writeAnew(line, bytes)
        }
        continue
      }
      let start = Int(line.name.start)
      if start == run.upperBound {
        run = run.lowerBound..<Int(line.value.end) + 2
      } else {
        copy(bytes, run)
        run = start..<Int(line.value.end) + 2
      }
    }
    copy(bytes, run)
  }

  private mutating func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    lines(bytes.extracting(range))
  }

  /// Writes a line whose value is not preceded by exactly one space, or is followed by whitespace.
  private mutating func writeAnew(_ line: FieldLine, _ bytes: Span<UInt8>) {
    guard hasRoom(line.name.count + line.value.count + 4) else { return }
    output.append(bytes.extracting(line.name.range))
    output.append(": " as StaticString)
    output.append(bytes.extracting(line.value.range))
    output.append("\r\n" as StaticString)
  }

  /// Writes a length as the parsed number.
  private mutating func writeAnew(_ line: FieldLine, _ bytes: Span<UInt8>, _ length: UInt64) {
    guard hasRoom(line.name.count + 20 + 4) else { return }
    output.append(bytes.extracting(line.name.range))
    output.append(": " as StaticString)
    output.append(decimal: length)
    output.append("\r\n" as StaticString)
  }

  private func isNamed(_ line: FieldLine, _ options: [ByteRange], _ bytes: Span<UInt8>) -> Bool {
    for option in options where bytes.equalsIgnoringCase(option, line.name) { return true }
    return false
  }

  private func reads(_ line: FieldLine, as name: [UInt8], _ bytes: Span<UInt8>) -> Bool {
    func folded(_ byte: UInt8) -> UInt8 {
      byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte.asciiLowercased
    }
    guard line.name.count == name.count else { return false }
    return zip(line.name.range, name).allSatisfy { folded(bytes[$0]) == folded($1) }
  }

  /// Whether `pseudonym` occurs in a value, in any case.
  private func names(_ pseudonym: StaticString, _ value: ByteRange, _ bytes: Span<UInt8>) -> Bool {
    let count = pseudonym.utf8CodeUnitCount
    guard value.count >= count else { return false }
    for start in Int(value.start)...(Int(value.end) - count) where bytes.equals(pseudonym, count: count, at: start) {
      return true
    }
    return false
  }
}

extension FieldLine {
  /// Whether the line was received as `Name: value`, with one space and no other whitespace around the value.
  func isPlain(_ bytes: Span<UInt8>) -> Bool {
    let end = Int(value.end)
    return Int(value.start) == Int(name.end) + 2 && bytes[Int(name.end) + 1] == space && bytes[end] == cr
  }

  /// Whether it is a Content-Length with leading zeros, which some programs would read as octal.
  func isPaddedLength(_ bytes: Span<UInt8>) -> Bool {
    known == .contentLength && value.count > 1 && bytes[Int(value.start)] == UInt8(ascii: "0")
  }
}
