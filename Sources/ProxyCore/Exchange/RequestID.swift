internal import Bytes
internal import Encodings
internal import HTTPWire

/// Makes the numbers that tell the requests of a loop apart, and from those of other loops and other processes.
struct RequestNumbers {
  private var state = UInt64.random(in: .min ... .max)

  /// The next number: each of 2^64 once, in an order that shows no count of requests (SplitMix64).
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var number = state
    number = (number ^ (number &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    number = (number ^ (number &>> 27)) &* 0x94D0_49BB_1331_11EB
    return number ^ (number &>> 31)
  }
}

// The identifier of a request, by which its line in the log, its problem body and the upstream's own log are found:
// `X-Request-Id` of the client where that is one plain value, else a number of the proxy's own in 16 hexadecimal digits.
extension Exchange {
  /// The client's own identifier as a range of the head; nil if it sent none, several, or one that is unfit for a log.
  var clientRequestID: ByteRange? {
    request.hasHead && head.contains(.requestID) ? plainRequestID() : nil
  }

  @inline(never) private func plainRequestID() -> ByteRange? {
    guard let input = connection.input else { return nil }
    let bytes = input.readableBytes
    var found: ByteRange?
    for line in head.fields where line.known == .requestID {
      guard found == nil, (1...128).contains(line.value.count) else { return nil }
      for offset in line.value.range where !Self.isPlain(bytes[offset]) { return nil }
      found = line.value
    }
    return found
  }

  // What UUIDs, ULIDs, base64 and trace ids consist of. All of it stands in a log line and a quoted string as it is.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "+"),
      UInt8(ascii: ":"),
      UInt8(ascii: "@"):
      true
    default: false
    }
  }

  /// The identifier as text, for what happens seldom.
  var requestID: String {
    if let tunnelRequest = outcome.tunnelRequest { return tunnelRequest.requestID }
    if let range = clientRequestID { return text(of: range) }
    let digits = String(request.number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Writes `X-Request-Id` for an upstream whose route has `request_id: forward`.
  func writeRequestID(_ writer: inout HeadWriter) {
    writer.field("X-Request-Id", Array(requestID.utf8).span)
  }
}
