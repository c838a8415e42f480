import Addresses
import Testing

@Suite("The kind of an address")
struct AddressKindTests {
  @Test(
    "follows from the ranges that IANA and the clouds gave it",
    arguments: [
      ("8.8.8.8", IPAddress.Kind.global), ("2001:db8::1", .global), ("9.255.255.255", .global), ("11.0.0.0", .global),
      ("172.15.255.255", .global), ("172.32.0.0", .global), ("100.63.255.255", .global), ("100.128.0.0", .global),
      ("169.253.255.255", .global), ("169.255.0.0", .global), ("223.255.255.255", .global), ("240.0.0.1", .global),
      ("fbff::1", .global), ("fe00::1", .global), ("2002:808:808::1", .global), ("64:ff9b::808:808", .global),
      ("10.0.0.0", .privateNetwork), ("172.16.0.1", .privateNetwork), ("172.31.255.255", .privateNetwork),
      ("192.168.1.1", .privateNetwork), ("100.64.0.1", .privateNetwork), ("fd12::1", .privateNetwork),
      ("::ffff:10.1.2.3", .privateNetwork), ("64:ff9b::10.1.2.3", .privateNetwork),
      ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("::1", .loopback), ("::ffff:127.0.0.1", .loopback),
      ("::127.0.0.1", .loopback), ("0.0.0.0", .unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified),
      ("::ffff:0.0.0.0", .unspecified), ("169.254.0.1", .linkLocal), ("169.254.255.255", .linkLocal),
      ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("::ffff:169.254.1.1", .linkLocal),
      ("64:ff9b::169.254.1.1", .linkLocal), ("2002:a9fe:101::1", .linkLocal), ("64:ff9b:1::169.254.1.1", .linkLocal),
      ("169.254.169.254", .cloudMetadata), ("100.100.100.200", .cloudMetadata), ("168.63.129.16", .cloudMetadata),
      ("fd00:ec2::254", .cloudMetadata), ("fd00:ec2::23", .cloudMetadata), ("fd20:ce::254", .cloudMetadata),
      ("::ffff:169.254.169.254", .cloudMetadata), ("64:ff9b::a9fe:a9fe", .cloudMetadata),
      ("224.0.0.1", .multicast), ("239.255.255.255", .multicast), ("255.255.255.255", .multicast),
      ("ff02::1", .multicast),
    ])
  func kinds(text: String, expected: IPAddress.Kind) throws {
    let address = try #require(IPAddress(text))
    #expect(address.kind == expected)
  }
}
