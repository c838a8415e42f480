import Deliveries
import HTTPWire
import Testing

@Suite("Hosts and ports") struct AuthorityTests {
  private func parse(_ authority: String) throws(WireError) -> (Authority, host: String, name: String) {
    let message = bytes("/@:\(authority)1:@")
    let parsed = try RequestTarget.parseAuthority(message.span, ByteRange(3..<message.count - 3))
    return (parsed, text(message, parsed.host), text(message, parsed.nameWithoutDot))
  }

  @Test(
    "names are kept as they are written",
    arguments: [
      "a", "A.Example.COM", "my_service", "a-b.c-d", "-a", "xn--bcher-kva.example", "1a", "1.a", "1.2.3.4a", "0xg",
      "0x1.example", "127.0.0.1.example", "deadbeef", "a" + String(repeating: ".bcdefg", count: 36),
      String(repeating: "a", count: 63) + ".b",
    ])
  func names(host: String) throws {
    let parsed = try parse(host + ":80")
    #expect(parsed.host == host)
    #expect(parsed.0.kind == .name)
    #expect(parsed.0.port == 80)
    #expect(!parsed.0.hasTrailingDot)
    #expect(!parsed.0.isIPv6Literal)
  }

  @Test("the dot that may end a name is kept and reported")
  func trailingDot() throws {
    let parsed = try parse("a.example.")
    #expect(parsed.host == "a.example.")
    #expect(parsed.name == "a.example")
    #expect(parsed.0.hasTrailingDot)
  }

  @Test(
    "IPv4 addresses",
    arguments: [
      ("0.0.0.0", 0), ("127.0.0.1", 0x7f00_0001), ("255.255.255.255", 0xffff_ffff), ("169.254.169.254", 0xa9fe_a9fe),
      ("1.20.30.99", 0x0114_1e63),
    ] as [(String, UInt32)])
  func ipv4(host: String, address: UInt32) throws {
    #expect(try parse(host).0.kind == .ipv4(address))
  }

  @Test(
    "numbers that programs read differently are refused",
    arguments: [
      "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "127.00.0.1",
      "256.0.0.1", "1.2.3.256", "1.2.3.4.5", "1", "0", "0x", "a.1", "example.com.0x7f", "127.0.0.1.",
      "1.2.3.999999999999",
      "00.0.0.0", "1.2.3.0x4",
    ])
  func ambiguous(host: String) {
    #expect(throws: WireError.ambiguousAddress) { try parse(host) }
  }

  @Test(
    "IPv6 addresses, whatever their spelling",
    arguments: [
      ("::", 0), ("::1", 1), ("0:0:0:0:0:0:0:1", 1), ("0000:0000:0000:0000:0000:0000:0000:0001", 1), ("1::", 1 << 112),
      ("2001:db8::A", 0x2001_0db8_0000_0000_0000_0000_0000_000a),
      ("2001:DB8:0::0:a", 0x2001_0db8_0000_0000_0000_0000_0000_000a),
      ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004_0005_0006_0007_0008), ("::ffff:127.0.0.1", 0xffff_7f00_0001),
      ("1:2:3:4:5:6:1.2.3.4", 0x0001_0002_0003_0004_0005_0006_0102_0304),
      ("1::2:3", 0x0001_0000_0000_0000_0000_0000_0002_0003),
      ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004_0005_0006_0007_0000),
      ("::2:3:4:5:6:7:8", 0x0002_0003_0004_0005_0006_0007_0008),
      ("fe80::ffff:ffff:ffff:ffff", 0xfe80_0000_0000_0000_ffff_ffff_ffff_ffff),
    ] as [(String, UInt128)])
  func ipv6(host: String, address: UInt128) throws {
    let parsed = try parse("[\(host)]:8080")
    #expect(parsed.0.kind == .ipv6(address))
    #expect(parsed.0.isIPv6Literal)
    #expect(parsed.host == host)
    #expect(parsed.0.port == 8080)
    #expect(try parse("[\(host)]").0.port == nil)
  }

  @Test(
    "hosts that are refused",
    arguments: [
      ("", .emptyHost), (":80", .emptyHost), (".", .invalidHost), ("..", .invalidHost), (".a", .invalidHost),
      ("a..b", .invalidHost), ("a..", .invalidHost), ("a b", .invalidHost), ("a,b", .invalidHost),
      ("a/b", .invalidHost),
      ("a?b", .invalidHost), ("a!b", .invalidHost), ("a$", .invalidHost), ("a'b", .invalidHost), ("a*", .invalidHost),
      ("*", .invalidHost), ("a~b", .invalidHost), ("a%41", .invalidHost), ("%31.2.3.4", .invalidHost),
      ("a\u{00}", .invalidHost), ("a\t", .invalidHost), ("\u{fc}ber", .invalidHost), ("a\\b", .invalidHost),
      ("<a>", .invalidHost), ("a\"", .invalidHost), ("a;b", .invalidHost), ("a=b", .invalidHost), ("(a)", .invalidHost),
      ("::1", .emptyHost), ("a:2:3:4:5:6:7:8", .invalidPort), ("[", .invalidHost), ("[]", .invalidHost),
      ("[::1", .invalidHost), ("::1]", .emptyHost), ("[:]", .invalidHost), ("[:::]", .invalidHost),
      ("[1]", .invalidHost),
      ("[1:2]", .invalidHost), ("[1:2:3:4:5:6:7]", .invalidHost), ("[1:2:3:4:5:6:7:8:9]", .invalidHost),
      ("[1:2:3:4:5:6:7:8::]", .invalidHost), ("[::1:2:3:4:5:6:7:8]", .invalidHost), ("[1::2::3]", .invalidHost),
      ("[12345::]", .invalidHost), ("[g::]", .invalidHost), ("[1:2:3:4:5:6:7:]", .invalidHost),
      ("[:1:2:3:4:5:6:7]", .invalidHost),
      ("[::1.2.3]", .invalidHost), ("[::1.2.3.256]", .invalidHost), ("[::01.2.3.4]", .invalidHost),
      ("[1:2:3:4:5:6:7:1.2.3.4]", .invalidHost), ("[::1.2.3.4:5]", .invalidHost), ("[::1%25eth0]", .invalidHost),
      ("[fe80::1%eth0]", .invalidHost), ("[v1.a:b]", .invalidHost), ("[::1]a", .invalidHost), ("[::1]]", .invalidHost),
      ("a[::1]", .invalidHost), ("[a.example]", .invalidHost), ("[127.0.0.1]", .invalidHost),
      ("a@b", .userinfo), ("a:b@c", .userinfo), ("[::1]:a@b", .userinfo), ("a:99999", .invalidPort),
      ("a: 80", .invalidPort),
      ("a:80 ", .invalidPort), ("a:8\u{b2}", .invalidPort),
    ] as [(String, WireError)])
  func refused(authority: String, error: WireError) {
    #expect(throws: error) { try parse(authority) }
  }

  @Test("a name of 253 bytes passes, one of 254 or with a label of 64 does not")
  func lengths() throws {
    let label = String(repeating: "a", count: 61) + "."
    let longest = label + label + label + label + "abcde"
    #expect(longest.utf8.count == 253)
    #expect(try parse(longest).host == longest)
    #expect(try parse(longest + ".").name == longest)
    #expect(throws: WireError.invalidHost) { try parse(longest + "f") }
    #expect(throws: WireError.invalidHost) { try parse(String(repeating: "a", count: 64)) }
    #expect(throws: WireError.invalidHost) { try parse(String(repeating: "a", count: 64) + ".b") }
  }

  @Test(
    "the names of this machine",
    arguments: [
      ("localhost", true), ("LocalHost", true), ("localhost.", true), ("a.localhost", true), ("a.b.localhost.", true),
      ("localhost:8080", true), ("notlocalhost", false), ("localhost.example", false), ("ocalhost", false),
      ("127.0.0.1", false), ("[::1]", false),
    ])
  func localhost(text: String, isLocal: Bool) throws {
    let bytes = Array(text.utf8)
    let authority = try RequestTarget.parseAuthority(bytes.span, ByteRange(0..<bytes.count))
    #expect(authority.isLocalhost(bytes.span) == isLocal)
  }
}
