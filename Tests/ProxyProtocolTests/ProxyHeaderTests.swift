import Addresses
import ProxyProtocol
import Testing

@Suite("A header of the PROXY protocol") struct ProxyHeaderTests {
  private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

  private func parse(_ bytes: [UInt8]) -> Result<ProxyHeader?, ProxyHeaderError> {
    do throws(ProxyHeaderError) { return .success(try ProxyHeader.parse(bytes.span)) } catch { return .failure(error) }
  }

  private static func binary(_ command: UInt8, _ family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
    let length = length ?? body.count
    return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + body
  }

  private static let v4: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0xC3, 0x50, 0, 80]
  private static let v6: [UInt8] = [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]

  @Test(
    "names both ends of the connection, and ends where it says",
    arguments: [
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\r\n", "192.0.2.1:50000", "192.0.2.2:80"),
      ("PROXY TCP6 2001:db8::1 2001:DB8:0::2 50000 443\r\n", "[2001:db8::1]:50000", "[2001:db8::2]:443"),
      ("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0", "255.255.255.255:65535"),
    ])
  func lines(line: String, source: String, destination: String) throws {
    let header = try #require(try parse(Array(line.utf8) + Array("GET /".utf8)).get())
    #expect(header.source?.description == source)
    #expect(header.destination?.description == destination)
    #expect(header.length == line.utf8.count)
  }

  @Test(
    "in its binary form says the same, whatever fields follow the addresses",
    arguments: [
      (binary(0x21, 0x11, v4), "192.0.2.1:50000"),
      (binary(0x21, 0x11, v4 + [2, 0, 4] + Array("host".utf8) + [4, 0, 0]), "192.0.2.1:50000"),
      (binary(0x21, 0x21, v6 + v6 + [0xC3, 0x50, 0, 80]), "[2001:db8::1]:50000"),
    ])
  func binaryHeaders(bytes: [UInt8], source: String) throws {
    let header = try #require(try parse(bytes + [1, 2, 3]).get())
    #expect(header.source?.description == source)
    #expect(header.destination?.port == 80)
    #expect(header.length == bytes.count)
  }

  @Test(
    "that names no client leaves the connection as it is",
    arguments: [
      Array("PROXY UNKNOWN\r\n".utf8), Array("PROXY UNKNOWN what ever\r\n".utf8),
      binary(0x20, 0x00, []), binary(0x20, 0x11, v4), binary(0x20, 0xFF, [1]), binary(0x21, 0x00, []),
      binary(0x21, 0x00, [4, 0, 0]), binary(0x21, 0x31, [UInt8](repeating: 0, count: 216)),
    ])
  func unknown(bytes: [UInt8]) throws {
    let header = try #require(try parse(bytes + Array("GET /".utf8)).get())
    #expect(header.source == nil && header.destination == nil)
    #expect(header.length == bytes.count)
  }

  @Test(
    "that is wrong is refused, with what is wrong",
    arguments: [
      ("GET / HTTP/1.1\r\n", ProxyHeaderError.missing), ("PRoXY TCP4 ", .missing), ("P ", .missing),
      ("\r\nGET / HTTP/1.1\r\n", .missing), ("\u{16}\u{3}\u{1}", .missing),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\n", .malformedLine),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\rX", .malformedLine),
      ("PROXY TCP4 192.0.2.1\t192.0.2.2 50000 80\r\n", .malformedLine),
      ("PROXY TCP4  192.0.2.1 192.0.2.2 50000 80\r\n", .malformedLine),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80 \r\n", .malformedLine),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000\r\n", .malformedLine), ("PROXY \r\n", .malformedLine),
      ("PROXY  \r\n", .malformedLine), ("PROXY TCP4\r\n", .malformedLine),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\0\r\n", .malformedLine),
      ("PROXY UDP4 192.0.2.1 192.0.2.2 50000 80\r\n", .unknownFamily),
      ("PROXY tcp4 192.0.2.1 192.0.2.2 50000 80\r\n", .unknownFamily),
      ("PROXY TCP4 ::1 192.0.2.2 50000 80\r\n", .malformedAddress),
      ("PROXY TCP6 ::1 192.0.2.2 50000 80\r\n", .malformedAddress),
      ("PROXY TCP4 192.0.2.01 192.0.2.2 50000 80\r\n", .malformedAddress),
      ("PROXY TCP4 192.0.2.1.1 192.0.2.2 50000 80\r\n", .malformedAddress),
      ("PROXY TCP4 localhost 192.0.2.2 50000 80\r\n", .malformedAddress),
      ("PROXY TCP6 fe80::1%eth0 ::1 50000 80\r\n", .malformedAddress),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n", .malformedPort),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n", .malformedPort),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 80\r\n", .malformedPort),
      ("PROXY TCP4 192.0.2.1 192.0.2.2 01 80\r\n", .malformedPort),
      ("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", .lineTooLong),
      ("PROXY " + String(repeating: "x", count: 200), .lineTooLong),
    ])
  func wrongLines(line: String, expected: ProxyHeaderError) {
    #expect(parse(Array(line.utf8)) == .failure(expected))
  }

  @Test(
    "in its binary form is refused likewise",
    arguments: [
      (binary(0x11, 0x11, v4), ProxyHeaderError.unknownVersion), (binary(0x31, 0x11, v4), .unknownVersion),
      (binary(0x22, 0x11, v4), .unknownCommand), (binary(0x21, 0x12, v4), .unknownFamily),
      (binary(0x21, 0x41, v4), .unknownFamily), (binary(0x21, 0x10, v4), .unknownFamily),
      (binary(0x21, 0x11, Array(v4.dropLast())), .tooShort), (binary(0x21, 0x21, v4), .tooShort),
      (binary(0x21, 0x31, v4), .tooShort), (binary(0x21, 0x11, v4, length: 65_535), .tooLong),
      (binary(0x20, 0x00, [], length: ProxyHeader.mostBytes - 15), .tooLong),
    ])
  func wrongBinary(bytes: [UInt8], expected: ProxyHeaderError) {
    #expect(parse(bytes) == .failure(expected))
  }

  @Test("may be as long as the specification says, and no byte longer")
  func longest() throws {
    let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
    #expect(longest.utf8.count == 107)
    #expect(try parse(Array(longest.utf8)).get()?.length == 107)
    let most = Self.binary(0x20, 0x00, [UInt8](repeating: 4, count: ProxyHeader.mostBytes - 16))
    #expect(try parse(most).get()?.length == ProxyHeader.mostBytes)
  }

  @Test("that has not come completely is waited for, byte by byte")
  func pieces() throws {
    let whole = [
      Array("PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\r\n".utf8),
      Self.binary(0x21, 0x11, Self.v4 + [4, 0, 1, 0]),
    ]
    for bytes in whole {
      for end in 0..<bytes.count { #expect(parse(Array(bytes[..<end])) == .success(nil)) }
    }
  }

  @Test("has a sentence for everything that can be wrong", arguments: ProxyHeaderError.allCases)
  func messages(error: ProxyHeaderError) {
    #expect(!error.message.isEmpty && !error.message.hasSuffix("."))
  }
}
