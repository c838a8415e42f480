public import Bytes

/// Writes the head of a forwarded message into a buffer, line by line.
///
/// If it runs out of room, ``end()`` reports that, not each line, and removes what was written. Literals and numbers are our
/// own; everything else must come from a parsed head or have been checked, since nothing is checked again here.
public struct HeadWriter {
  let output: ByteBuffer
  private let begin: Int
  private(set) var isFull = false

  /// A writer that appends to `output`.
  public init(_ output: ByteBuffer) {
    self.output = output
    begin = output.end
  }

  /// Writes the method and a space; ``target(_:)`` writes the target after it.
  public mutating func beginRequest(method: Span<UInt8>) {
    guard hasRoom(method.count + 1) else { return }
    output.append(method)
    output.append(space)
  }

  /// Writes a part of the target, which may have several, such as a prefix of ours and the client's path.
  public mutating func target(_ part: Span<UInt8>) {
    guard hasRoom(part.count) else { return }
    output.append(part)
  }

  /// Writes a part of the target that is a literal.
  public mutating func target(_ part: StaticString) {
    guard hasRoom(part.utf8CodeUnitCount) else { return }
    output.append(part)
  }

  /// Ends the request line with our HTTP version.
  public mutating func endRequestLine() {
    guard hasRoom(11) else { return }
    output.append(" HTTP/1.1\r\n" as StaticString)
  }

  /// Writes the status line with our HTTP version.
  public mutating func statusLine(_ status: Int, reason: Span<UInt8>) {
    guard hasRoom(20 + 9 + 3 + reason.count) else { return }
    output.append("HTTP/1.1 " as StaticString)
    output.append(decimal: UInt64(status))
    output.append(space)
    output.append(reason)
    output.append("\r\n" as StaticString)
  }

  /// Writes the status line with our HTTP version and a reason of ours.
  public mutating func statusLine(_ status: Int, reason: StaticString) {
    reason.withUTF8Buffer { statusLine(status, reason: unsafe Span(_unsafeElements: $0)) }
  }

  /// Ends the head with the empty line. If there was no room, removes everything and throws `headTooLarge`.
  public mutating func end() throws(WireError) {
    if hasRoom(2) { output.append("\r\n" as StaticString) }
    guard isFull else { return }
    output.truncate(to: begin)
    throw .headTooLarge
  }

  /// Whether `count` bytes fit; after the first failure nothing more is written.
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

  /// Writes a field line with our own value.
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

  /// Writes complete lines with their CRLF, such as the Host line.
  public mutating func lines(_ lines: Span<UInt8>) {
    guard hasRoom(lines.count) else { return }
    output.append(lines)
  }

  /// Writes `Host`, with brackets around an IPv6 address, and without the port if that is nil.
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

  /// Writes `Transfer-Encoding: chunked`. For a body with a length, Content-Length is among the forwarded fields.
  public mutating func chunkedFraming() {
    literal("Transfer-Encoding: chunked\r\n")
  }

  /// Writes our `Via` line, after those that were forwarded (RFC 9110 section 7.6.3); `version` is the version of the received
  /// message.
  public mutating func via(_ version: HTTPVersion, _ pseudonym: Span<UInt8>) {
    guard hasRoom(pseudonym.count + 11) else { return }
    output.append((version == .http11 ? "Via: 1.1 " : "Via: 1.0 ") as StaticString)
    output.append(pseudonym)
    output.append("\r\n" as StaticString)
  }

  /// Writes `Upgrade` with the protocols at these positions in `bytes`, and `Connection`, which names `Upgrade` and, if
  /// `besideTE` is true, `TE`.
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

  /// Tells the client that it may log on to the upstream through this proxy by NTLM or Negotiate (RFC 4559 section 6). The
  /// field concerns only the next recipient; Connection tells that to another proxy in between.
  public mutating func sessionBasedAuthentication() {
    literal("Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n")
  }

  private mutating func literal(_ text: StaticString) {
    guard hasRoom(text.utf8CodeUnitCount) else { return }
    output.append(text)
  }
}

extension HeadWriter {
  /// Writes a line with references; `links` rewrites those that lead to the upstream.
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
