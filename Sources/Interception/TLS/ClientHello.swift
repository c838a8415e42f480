/// Finds the end of a ClientHello in the plain bytes of a connection, so that a TLS session is made only for a client that has
/// sent all of it (RFC 8446 sections 4.1.2 and 5.1).
///
/// What is inside is left to OpenSSL.
public enum ClientHello: Hashable, Sendable {
  /// More bytes are needed.
  case incomplete
  /// It is there, and ends with a record.
  case whole
  /// These bytes are no beginning of a ClientHello, whatever follows.
  case malformed
  /// It takes more than ``mostBytes``.
  case tooLong

  /// The most bytes that a ClientHello may take, with the headers of its records. Those of browsers take 2 KB; tickets that
  /// hold a client's certificate add some more.
  public static let mostBytes = 16 * 1024

  private static let recordHeader = 5
  private static let messageHeader = 4

  /// Looks at everything that has come.
  public static func scan(_ bytes: Span<UInt8>) -> ClientHello {
    // How long the message is with its header, once those four bytes are known, and how much of it has come.
    var length: Int?
    var received = 0
    var header = 0
    var offset = 0
    while true {
      let left = bytes.count - offset
      // A record of a handshake, of version 3 in any minor version, with content (RFC 8446 section 5.1).
      if left > 0, bytes[offset] != 22 { return .malformed }
      if left > 1, bytes[offset + 1] != 3 { return .malformed }
      guard left >= recordHeader else { return offset + recordHeader > mostBytes ? .tooLong : .incomplete }
      let content = Int(bytes[offset + 3]) << 8 | Int(bytes[offset + 4])
      guard content > 0 else { return .malformed }
      guard offset + recordHeader + content <= mostBytes else { return .tooLong }
      offset += recordHeader
      let available = min(content, bytes.count - offset)
      var index = offset
      while received + (index - offset) < messageHeader, index < offset + available {
        let position = received + (index - offset)
        let byte = Int(bytes[index])
        if position == 0 {
          guard byte == 1 else { return .malformed }
        } else {
          header = header << 8 | byte
        }
        if position == messageHeader - 1 { length = messageHeader + header }
        index += 1
      }
      if let length {
        guard length <= mostBytes else { return .tooLong }
        // Nothing may share the last record with it.
        guard received + content <= length else { return .malformed }
      }
      received += available
      offset += available
      guard available == content else { return .incomplete }
      if received == length { return .whole }
    }
  }
}
