import Cryptography
import Interception
import Testing

@Suite("The end of a ClientHello") struct ClientHelloTests {
  private func scan(_ bytes: [UInt8]) -> ClientHello { ClientHello.scan(bytes.span) }

  /// A message of `length` bytes after its header, in records of `size` bytes.
  private func hello(_ length: Int, type: UInt8 = 1, records size: Int = 16_000) -> [UInt8] {
    let header = [type, UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
    let message = header + Array(repeating: 7, count: length)
    return stride(from: 0, to: message.count, by: size).flatMap { start in
      record(Array(message[start..<min(start + size, message.count)]))
    }
  }

  private func record(_ content: [UInt8], type: UInt8 = 22, version: (UInt8, UInt8) = (3, 1)) -> [UInt8] {
    [type, version.0, version.1, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
  }

  @Test("is found at its last byte, in records of any size", arguments: [1, 2, 3, 4, 5, 37, 512, 16_000])
  func end(size: Int) {
    let bytes = hello(512, records: size)
    for count in 0..<bytes.count {
      #expect(scan(Array(bytes[..<count])) == .incomplete, "\(count) bytes")
    }
    #expect(scan(bytes) == .whole)
    #expect(scan(bytes + [0x14, 3, 3, 0, 1, 1]) == .whole)
  }

  @Test("has any minor version", arguments: [0, 1, 3, 4, 255] as [UInt8])
  func minorVersion(minor: UInt8) {
    var bytes = hello(40)
    bytes[2] = minor
    #expect(scan(bytes) == .whole)
  }

  @Test(
    "is not found in what is none, as soon as that shows",
    arguments: [
      [0x80, 0x2E, 0],  // the form of SSL 2.0, and no ClientHello
      [0x80, 0x2E, 1, 0],  // SSL 2.0 itself
      [0x80, 2, 1, 3, 1],  // shorter than its own header
      [UInt8(ascii: "G")],
      [21],  // an alert
      [22, 2],
      [22, 3, 1, 0, 0],  // a record without content
      [22, 3, 1, 0, 4, 2],  // a ServerHello
      [22, 3, 1, 0, 6, 1, 0, 0, 1],  // more in the record than the message
      [22, 3, 1, 0, 2, 1, 0, 23],  // application data in the middle
      [22, 3, 1, 0, 2, 1, 0, 22, 3, 1, 0, 0],
      [22, 3, 1, 0, 3, 1, 0, 0, 22, 3, 1, 0, 3, 1],  // the same in a later record
    ] as [[UInt8]])
  func malformed(bytes: [UInt8]) {
    #expect(scan(Array(bytes.dropLast())) == .incomplete)
    #expect(scan(bytes) == .malformed)
    #expect(scan(bytes + hello(40)) == .malformed)
  }

  @Test("takes 16 KB at most, and is rejected before more has arrived")
  func longest() {
    let longest = ClientHello.mostBytes - 9
    #expect(scan(hello(longest, records: .max)) == .whole)
    #expect(scan([22, 3, 1, 0x3F, 0xFB]) == .incomplete)
    #expect(scan([22, 3, 1, 0x3F, 0xFC]) == .tooLong)
    #expect(scan([22, 3, 1, 0, 4, 1, 1, 0, 0]) == .tooLong)
    #expect(scan([22, 3, 1, 0, 4, 1, 0, 0x40, 0]) == .tooLong)
    // Headers of records count: one for each byte is too much for a long message, and not for a short one.
    #expect(scan(hello(2_000, records: 1)) == .whole)
    #expect(scan(hello(4_000, records: 1)) == .tooLong)
  }

  @Test("is found in the form of SSL 2.0, in which old clients begin TLS")
  func oldForm() {
    let bytes = [0x80, 40, 1, 3, 1] + Array(repeating: 7, count: 37) as [UInt8]
    for count in 1..<bytes.count { #expect(scan(Array(bytes[..<count])) == .incomplete, "\(count) bytes") }
    #expect(scan(bytes) == .whole)
    #expect(scan(bytes + [0x14, 3, 1, 0, 1, 1]) == .whole)
    #expect(scan([0xBF, 0xFE, 1, 3, 1]) == .incomplete)
    #expect(scan([0xBF, 0xFF, 1, 3, 1]) == .tooLong)
  }

  @Test("begins in that form only where versions before TLS 1.2 are served", arguments: TLSVersion.allCases)
  func firstByte(minimum: TLSVersion) {
    #expect(ClientHello.begins(with: 22, minimum: minimum))
    #expect(ClientHello.begins(with: 0x80, minimum: minimum) == (minimum == .tls10 || minimum == .tls11))
    #expect(!ClientHello.begins(with: UInt8(ascii: "G"), minimum: minimum))
  }
}
