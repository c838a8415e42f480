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
