import Addresses
import Testing

@Suite("IPNetwork")
struct IPNetworkTests {
  private func network(_ text: String, _ prefixLength: Int) throws -> IPNetwork {
    let address = try #require(IPAddress(text))
    return try #require(IPNetwork(address, prefixLength: prefixLength))
  }

  @Test(
    "contains the addresses that share its prefix, and no other",
    arguments: [
      ("10.0.0.0", 8, "10.255.255.255", true), ("10.0.0.0", 8, "11.0.0.0", false),
      ("10.0.0.0", 8, "9.255.255.255", false),
      ("192.168.16.0", 20, "192.168.31.255", true), ("192.168.16.0", 20, "192.168.32.0", false),
      ("0.0.0.0", 0, "255.255.255.255", true), ("0.0.0.0", 0, "::1", false), ("::", 0, "fe80::1", true),
      ("::", 0, "1.2.3.4", false), ("127.0.0.1", 32, "127.0.0.1", true), ("127.0.0.1", 32, "127.0.0.2", false),
      ("fd00::", 8, "fdff::1", true), ("fd00::", 8, "fe00::", false), ("2001:db8::", 33, "2001:db8:7fff::1", true),
      ("2001:db8::", 33, "2001:db8:8000::", false), ("::1", 128, "::1", true), ("::1", 128, "::2", false),
      ("10.0.0.0", 8, "::ffff:10.1.2.3", true), ("10.0.0.0", 8, "::ffff:11.1.2.3", false),
      ("::ffff:10.0.0.0", 104, "10.1.2.3", true), ("::ffff:10.0.0.0", 104, "11.1.2.3", false),
      ("10.0.0.0", 8, "::10.1.2.3", false),
    ])
  func containment(first: String, prefixLength: Int, other: String, isInside: Bool) throws {
    let address = try #require(IPAddress(other))
    #expect(try network(first, prefixLength).contains(address) == isInside)
  }

  @Test("an address alone is a range of one", arguments: ["10.1.2.3", "::1", "::ffff:10.1.2.3"])
  func single(text: String) throws {
    let address = try #require(IPAddress(text))
    let network = IPNetwork(address)
    #expect(network.contains(address) && network.contains(address.unmapped))
    let other = try #require(IPAddress("10.1.2.4"))
    #expect(!network.contains(other))
    #expect(network.description == address.unmapped.text)
  }

  @Test("drops the bits behind its prefix, and refuses a prefix longer than the address")
  func prefixes() throws {
    #expect(try network("10.1.2.3", 8).description == "10.0.0.0/8")
    #expect(try network("2001:db8::1", 32).description == "2001:db8::/32")
    #expect(try network("::ffff:10.1.2.3", 104).description == "10.0.0.0/8")
    let v4 = try #require(IPAddress("10.0.0.0"))
    let v6 = try #require(IPAddress("fd00::"))
    #expect(IPNetwork(v4, prefixLength: 33) == nil && IPNetwork(v4, prefixLength: -1) == nil)
    #expect(IPNetwork(v6, prefixLength: 129) == nil)
  }

  @Test(
    "reads the address of an endpoint",
    arguments: [("127.0.0.2:80", "127.0.0.2"), ("[::1]:65535", "::1"), ("unknown", nil), ("name:1", nil), ("::1", nil)])
  func endpoints(text: String, expected: String?) {
    #expect(IPAddress(ofEndpoint: text)?.text == expected)
  }
}
