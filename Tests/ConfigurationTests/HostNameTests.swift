import Testing

@testable import Configuration

@Suite("HostName")
struct HostNameTests {
  @Test(
    "has one form for each host",
    arguments: [
      ("Orders.Internal", "orders.internal"), ("orders.internal.", "orders.internal"), ("127.0.0.1", "127.0.0.1"),
      ("[::1]", "::1"), ("[2001:DB8:0:0::1]", "2001:db8::1"), ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
      ("my_service", "my_service"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
      ("1password.com", "1password.com"),
    ])
  func canonical(written: String, expected: String) throws {
    #expect(try HostName(written: written).text == expected)
  }

  @Test(
    "refuses what some resolver would take for another host",
    arguments: [
      "", ".", "a..b", ".a", "a..", "127.1", "127.0.0.01", "0x7f.1", "2130706433", "1.2.3.256", "1.2.3.4.5",
      "0x7f000001",
      "1.2.3.4.", "a b", "a/b", "a%2e", "bücher.example", "*.example.com", "-a", "a-", "::1", "[::1", "[127.0.0.1]",
      "[fe80::1%eth0]", "[::1]x", "a@b", "a\0", "[::1\0]", String(repeating: "a", count: 64),
      String(repeating: "a.", count: 127) + "a",
    ])
  func refuses(written: String) {
    #expect(throws: Refusal.self) { try HostName(written: written) }
  }

  @Test(
    "knows what is this machine",
    arguments: [
      ("127.0.0.1", true), ("127.255.3.4", true), ("[::1]", true), ("localhost", true), ("LocalHost.", true),
      ("[::ffff:127.0.0.1]", true), ("128.0.0.1", false), ("[::2]", false), ("[::]", false), ("0.0.0.0", false),
      ("localhost.example", false), ("127.example", false),
    ])
  func loopback(written: String, expected: Bool) throws {
    #expect(try HostName(written: written).isLoopback == expected)
  }
}
