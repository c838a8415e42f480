/// A request method (RFC 9110 section 9). Methods are case-sensitive: `get` is `.other`. `TRACE` and `CONNECT` are recognised
/// in any case: they must be rejected even for servers that ignore case. `TRACK` is another name for TRACE.
public enum Method: UInt8, Sendable, CaseIterable {
  /// The methods that a proxy treats specially, and all others.
  case get, head, post, put, delete, options, trace, connect, patch, other

  /// Whether the method is safe: it only retrieves information (RFC 9110 section 9.2.1).
  public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    case .post, .put, .delete, .connect, .patch, .other: false
    }
  }

  /// Whether sending the request twice has the same effect as sending it once (RFC 9110 section 9.2.2).
  public var isIdempotent: Bool {
    isSafe || self == .put || self == .delete
  }

  /// The method for the token at `range`.
  static func recognise(_ bytes: Span<UInt8>, _ range: ByteRange) -> Method {
    var packed: UInt64 = 0
    guard range.count <= 7 else { return .other }
    for offset in range.range { packed = packed << 8 | UInt64(bytes[offset]) }
    // The letters of the name, one byte each.
    return switch packed {
    case 0x47_4554: .get
    case 0x4845_4144: .head
    case 0x504f_5354: .post
    case 0x50_5554: .put
    case 0x4445_4c45_5445: .delete
    case 0x4f_5054_494f_4e53: .options
    case 0x54_5241_4345: .trace
    case 0x43_4f4e_4e45_4354: .connect
    case 0x50_4154_4348: .patch
    default: recognise(lowercased: packed | 0x20_2020_2020_2020 >> (56 - 8 * UInt64(range.count)))
    }
  }

  private static func recognise(lowercased packed: UInt64) -> Method {
    switch packed {
    case 0x74_7261_6365, 0x74_7261_636b: .trace
    case 0x63_6f6e_6e65_6374: .connect
    default: .other
    }
  }
}
