import Addresses
import Testing

@Suite("The kind of an address")
struct AddressKindTests {
  @Test(
    "follows from the ranges that IANA and the clouds gave it",
    arguments: [
      ("8.8.8.8", IPAddress.Kind.global), ("2001:4860::1", .global), ("9.255.255.255", .global), ("11.0.0.0", .global),
      ("172.15.255.255", .global), ("172.32.0.0", .global), ("100.63.255.255", .global), ("100.128.0.0", .global),
      ("169.253.255.255", .global), ("169.255.0.0", .global), ("223.255.255.255", .global),
      ("2002:808:808::1", .global), ("64:ff9b::808:808", .global),
      ("192.0.0.9", .global), ("192.0.0.10", .global), ("192.31.196.1", .global), ("192.52.193.1", .global),
      ("192.175.48.1", .global), ("2001:1::1", .global), ("2001:1::2", .global), ("2001:1::3", .global),
      ("2001:3::1", .global), ("2001:4:112::1", .global), ("2001:20::1", .global), ("2001:30::1", .global),
      ("2620:4f:8000::1", .global), ("2000::", .global), ("::ffff:8.8.8.8", .global),
      ("240.0.0.1", .specialPurpose), ("255.255.255.254", .specialPurpose), ("192.0.2.1", .specialPurpose),
      ("198.51.100.7", .specialPurpose), ("203.0.113.1", .specialPurpose), ("192.88.99.1", .specialPurpose),
      ("192.88.99.2", .specialPurpose), ("192.0.0.1", .specialPurpose), ("192.0.0.170", .specialPurpose),
      ("2001:db8::1", .specialPurpose), ("3fff::1", .specialPurpose), ("3fff:fff::1", .specialPurpose),
      ("2001:0:808:808::f7f7:f7f7", .specialPurpose), ("::ffff:0:808:808", .specialPurpose),
      ("::8.8.8.8", .specialPurpose), ("64:ff9b:1::808:808", .specialPurpose), ("100::1", .specialPurpose),
      ("100:0:0:1::1", .specialPurpose), ("2001:2::1", .specialPurpose), ("2001:10::1", .specialPurpose),
      ("5f00::1", .specialPurpose), ("1fff::1", .specialPurpose), ("4000::1", .specialPurpose),
      ("fbff::1", .specialPurpose), ("fe00::1", .specialPurpose), ("::ffff:203.0.113.1", .specialPurpose),
      ("64:ff9b::203.0.113.1", .specialPurpose), ("2002:f000:1::1", .specialPurpose),
      ("198.18.0.1", .privateNetwork), ("fec0::1", .privateNetwork),
      ("2001:0:808:808::f5fe:fdfc", .privateNetwork), ("2001:0:a01:203::f7f7:f7f7", .privateNetwork),
      ("::ffff:0:10.1.2.3", .privateNetwork), ("2a00:1450::5efe:10.1.2.3", .privateNetwork),
      ("2a00:1450::200:5efe:10.1.2.3", .privateNetwork), ("2a00:1450::5efe:127.0.0.1", .loopback),
      ("::ffff:0:127.0.0.1", .loopback), ("2001:0:808:808::80ff:fffe", .loopback),
      ("2001:0:808:808::5601:5601", .cloudMetadata), ("::ffff:0:169.254.169.254", .cloudMetadata),
      ("2a00:1450::5efe:169.254.169.254", .cloudMetadata), ("::169.254.169.254", .cloudMetadata),
      ("fd00:c1::a9fe:a9fe", .cloudMetadata), ("fd00:100::100:200", .cloudMetadata),
      ("fd00:42::42", .cloudMetadata), ("fd00:a9fe:a9fe::1", .cloudMetadata), ("192.0.0.192", .cloudMetadata),
      ("10.0.0.0", .privateNetwork), ("172.16.0.1", .privateNetwork), ("172.31.255.255", .privateNetwork),
      ("192.168.1.1", .privateNetwork), ("100.64.0.1", .privateNetwork), ("fd12::1", .privateNetwork),
      ("::ffff:10.1.2.3", .privateNetwork), ("64:ff9b::10.1.2.3", .privateNetwork),
      ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("::1", .loopback), ("::ffff:127.0.0.1", .loopback),
      ("::127.0.0.1", .loopback), ("0.0.0.0", .unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified),
      ("::ffff:0.0.0.0", .unspecified), ("169.254.0.1", .linkLocal), ("169.254.255.255", .linkLocal),
      ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("::ffff:169.254.1.1", .linkLocal),
      ("64:ff9b::169.254.1.1", .linkLocal), ("2002:a9fe:101::1", .linkLocal), ("64:ff9b:1::169.254.1.1", .linkLocal),
      ("169.254.169.254", .cloudMetadata), ("100.100.100.200", .cloudMetadata), ("100.96.0.96", .cloudMetadata),
      ("168.63.129.16", .cloudMetadata),
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
