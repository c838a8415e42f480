public import Bytes

/// Writes the head of a message that is sent on, line by line, into a buffer.
///
/// Running out of room is remembered rather than reported at every line: ``end()`` reports it, and takes back what was
/// written. Literals and numbers are ours; whatever else is written must have come from a parsed head or have been
/// checked, since nothing is checked here again.
public struct HeadWriter {
  let output: ByteBuffer
  private let begin: Int
  private(set) var isFull = false

  /// A writer that appends to `output`.
  public init(_ output: ByteBuffer) {
    self.output = output
    begin = output.end
  }

  /// Writes the method and the space after it; the target's parts follow with ``target(_:)``.
  public mutating func beginRequest(method: Span<UInt8>) {
    guard hasRoom(method.count + 1) else { return }
    output.append(method)
    output.append(space)
  }

  /// Writes a part of the target: it may be made of several, such as a prefix of ours and the path of the client.
  public mutating func target(_ part: Span<UInt8>) {
    guard hasRoom(part.count) else { return }
    output.append(part)
  }

  /// Writes a part of the target that is a literal.
  public mutating func target(_ part: StaticString) {
    guard hasRoom(part.utf8CodeUnitCount) else { return }
    output.append(part)
  }

  /// Ends the request line with our version.
  public mutating func endRequestLine() {
    guard hasRoom(11) else { return }
    output.append(" HTTP/1.1\r\n" as StaticString)
  }

  /// Writes the status line with our version.
  public mutating func statusLine(_ status: Int, reason: Span<UInt8>) {
    guard hasRoom(20 + 9 + 3 + reason.count) else { return }
    output.append("HTTP/1.1 " as StaticString)
    output.append(decimal: UInt64(status))
    output.append(space)
    output.append(reason)
    output.append("\r\n" as StaticString)
  }

  /// Writes the status line with our version and a reason of ours.
  public mutating func statusLine(_ status: Int, reason: StaticString) {
    reason.withUTF8Buffer { statusLine(status, reason: unsafe Span(_unsafeElements: $0)) }
  }

  /// Ends the head with the empty line. Throws `headTooLarge`, and takes everything back, when there was no room.
  public mutating func end() throws(WireError) {
    if hasRoom(2) { output.append("\r\n" as StaticString) }
    guard isFull else { return }
    output.truncate(to: begin)
    throw .headTooLarge
  }

  /// Whether `count` bytes may be written; once they may not, nothing more is.
  mutating func hasRoom(_ count: Int) -> Bool {
    if count > output.freeSpace { isFull = true }
    return !isFull
  }
}

extension HeadWriter {
  /// Writes a field line.
  public mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
    guard hasRoom(name.utf8CodeUnitCount + value.count + 4) else { return }
    output.append(name)
    output.append(": " as StaticString)
    output.append(value)
    output.append("\r\n" as StaticString)
  }

  /// Writes a field line with a value of ours.
  public mutating func field(_ name: StaticString, _ value: StaticString) {
    value.withUTF8Buffer { field(name, unsafe Span(_unsafeElements: $0)) }
  }

  /// Writes a field line with a number.
  public mutating func field(_ name: StaticString, _ number: UInt64) {
    guard hasRoom(name.utf8CodeUnitCount + 20 + 4) else { return }
    output.append(name)
    output.append(": " as StaticString)
    output.append(decimal: number)
    output.append("\r\n" as StaticString)
  }

  /// Writes a line of two parts, such as `Authorization: Bearer ` and a token.
  public mutating func line(_ start: Span<UInt8>, _ end: Span<UInt8>) {
    guard hasRoom(start.count + end.count + 2) else { return }
    output.append(start)
    output.append(end)
    output.append("\r\n" as StaticString)
  }

  /// Writes lines that are complete with their CRLF, such as the Host line.
  public mutating func lines(_ lines: Span<UInt8>) {
    guard hasRoom(lines.count) else { return }
    output.append(lines)
  }

  /// Writes `Host`, with the brackets of an IPv6 address and without a port that is nil.
  public mutating func host(_ name: Span<UInt8>, isIPv6Literal: Bool = false, port: UInt16?) {
    guard hasRoom(name.count + 16) else { return }
    output.append("Host: " as StaticString)
    if isIPv6Literal { output.append(UInt8(ascii: "[")) }
    output.append(name)
    if isIPv6Literal { output.append(UInt8(ascii: "]")) }
    if let port {
      output.append(UInt8(ascii: ":"))
      output.append(decimal: UInt64(port))
    }
    output.append("\r\n" as StaticString)
  }

  /// Writes `Transfer-Encoding: chunked`. A body with a length has Content-Length among the forwarded fields.
  public mutating func chunkedFraming() {
    literal("Transfer-Encoding: chunked\r\n")
  }

  /// Writes our `Via` line, behind those that were forwarded (RFC 9110 7.6.3); `version` is that of the message
  /// received.
  public mutating func via(_ version: HTTPVersion, _ pseudonym: Span<UInt8>) {
    guard hasRoom(pseudonym.count + 11) else { return }
    output.append((version == .http11 ? "Via: 1.1 " : "Via: 1.0 ") as StaticString)
    output.append(pseudonym)
    output.append("\r\n" as StaticString)
  }

  /// Writes `Upgrade` with the protocols at these places in `bytes`, and `Connection` with what names it, and `TE` where
  /// there is that as well.
  public mutating func upgrade(to protocols: [ByteRange], _ bytes: Span<UInt8>, besideTE: Bool = false) {
    literal("Upgrade: ")
    for (index, range) in protocols.enumerated() {
      guard hasRoom(range.count + 2) else { return }
      if index > 0 { output.append(", " as StaticString) }
      output.append(bytes.extracting(range.range))
    }
    literal(besideTE ? "\r\nConnection: TE, Upgrade\r\n" : "\r\nConnection: Upgrade\r\n")
  }

  /// Writes `Connection: close`.
  public mutating func connectionClose() {
    literal("Connection: close\r\n")
  }

  /// Writes that a client may log on to the upstream through this proxy by NTLM or Negotiate (RFC 4559 section 6). It is
  /// for the next recipient alone, which another proxy in between is told.
  public mutating func sessionBasedAuthentication() {
    literal("Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n")
  }

  private mutating func literal(_ text: StaticString) {
    guard hasRoom(text.utf8CodeUnitCount) else { return }
    output.append(text)
  }
}

extension HeadWriter {
  /// Writes a line with references, those that lead to the upstream as `links` says.
  mutating func writeLinks(_ line: FieldLine, _ bytes: Span<UInt8>, _ links: LinkMap) {
    part(bytes.extracting(line.name.range))
    part(": ")
    var written = Int(line.value.start)
    var references = LinkReferences(line)
    while let reference = references.next(bytes) {
      guard let replacement = links.replacement(for: reference, bytes) else { continue }
      part(bytes.extracting(written..<Int(reference.start)))
      if replacement.namesOrigin { part(links.origin.span) }
      part(links.mount.span)
      if replacement.needsSlash { part("/") }
      written = Int(replacement.rest.start)
    }
    part(bytes.extracting(written..<Int(line.value.end)))
    part("\r\n")
  }

  private mutating func part(_ bytes: Span<UInt8>) {
    guard hasRoom(bytes.count) else { return }
    output.append(bytes)
  }

  private mutating func part(_ text: StaticString) {
    guard hasRoom(text.utf8CodeUnitCount) else { return }
    output.append(text)
  }
}
