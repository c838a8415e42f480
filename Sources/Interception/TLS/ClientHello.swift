public import Cryptography

/// Finds the end of a ClientHello in the plain bytes of a connection, so that a TLS session is created only for a client that
/// has sent all of it (RFC 8446 sections 4.1.2 and 5.1).
///
/// OpenSSL parses its contents.
public enum ClientHello: Hashable, Sendable {
  /// More bytes are needed.
  case incomplete
  /// It is complete, and ends with a record.
  case whole
  /// These bytes cannot be the beginning of a ClientHello.
  case malformed
  /// It is longer than ``mostBytes``.
  case tooLong

  /// The maximum length of a ClientHello, including the headers of its records. Those of browsers have 2 KB; tickets that
  /// contain a client's certificate are longer.
  public static let mostBytes = 16 * 1024

  private static let handshakeRecord: UInt8 = 22
  private static let recordHeader = 5
  private static let messageHeader = 4

  /// Whether a connection whose first byte is `byte` begins with a ClientHello: with a handshake record (RFC 8446 section 5.1),
  /// or, if clients from before TLS 1.2 are served, in the form of SSL 2.0, which Java 6 and OpenSSL 0.9.8 send for TLS (RFC
  /// 5246 appendix E.2). No ASCII text begins with such a byte.
  public static func begins(with byte: UInt8, minimum: TLSVersion) -> Bool {
    byte == handshakeRecord || minimum.isWeak && isOldForm(byte)
  }

  /// Whether a ClientHello that begins with `byte` can only have the form of SSL 2.0.
  public static func isOldForm(_ byte: UInt8) -> Bool { byte & 0x80 != 0 }

  /// Scans everything received so far.
  public static func scan(_ bytes: Span<UInt8>) -> ClientHello {
    if bytes.count > 0, isOldForm(bytes[0]) { return scanOldForm(bytes) }
    // The length of the message including its header, once the four bytes of the header are known, and how much of it has
    // arrived.
    var length: Int?
    var received = 0
    var header = 0
    var offset = 0
    while true {
      let left = bytes.count - offset
      // A handshake record, version 3 with any minor version, not empty (RFC 8446 section 5.1).
      if left > 0, bytes[offset] != handshakeRecord { return .malformed }
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
        // The last record must not contain anything else.
        guard received + content <= length else { return .malformed }
      }
      received += available
      offset += available
      guard available == content else { return .incomplete }
      if received == length { return .whole }
    }
  }

  // A length of 15 bits, the type of a ClientHello, and a version other than SSL 2.0.
  private static func scanOldForm(_ bytes: Span<UInt8>) -> ClientHello {
    if bytes.count > 2, bytes[2] != 1 { return .malformed }
    if bytes.count > 3, bytes[3] != 3 { return .malformed }
    guard bytes.count >= recordHeader else { return .incomplete }
    let length = 2 + (Int(bytes[0] & 0x7F) << 8 | Int(bytes[1]))
    guard length <= mostBytes else { return .tooLong }
    guard length >= recordHeader else { return .malformed }
    return bytes.count < length ? .incomplete : .whole
  }
}
