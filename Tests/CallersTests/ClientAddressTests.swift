import Testing

@testable import Callers

@Suite("What counts as one client") struct ClientAddressTests {
  @Test(
    "is one IPv4 address, whatever the port and however it is written",
    arguments: ["192.0.2.1:9", "[::ffff:192.0.2.1]:9", "[::ffff:c000:201]:9"])
  func ipv4(peer: String) {
    #expect(ClientAddress(peer) == ClientAddress("192.0.2.1:1000"))
    #expect(ClientAddress(peer) != ClientAddress("192.0.2.2:9"))
  }

  @Test(
    "is one IPv6 network of 64 bits",
    arguments: ["[2001:db8:0:1::7]:1", "[2001:db8:0:1:ffff:ffff:ffff:ffff]:1", "[2001:db8:0:1::1%eth0]:1"])
  func ipv6(peer: String) {
    #expect(ClientAddress(peer) == ClientAddress("[2001:db8:0:1::1]:1000"))
    #expect(ClientAddress(peer) != ClientAddress("[2001:db8:0:2::1]:1000"))
  }
}
