import Cryptography
import Testing

@Suite("Names of subjects")
struct DistinguishedNameTests {
  @Test(
    "are the same however they are escaped and spaced",
    arguments: [
      ("CN=erp,O=Example", "cn = erp , o=Example"), (#"CN=a\,b"#, #"CN=a\2cb"#), ("CN=Müller", #"CN=M\C3\BCller"#),
      ("CN=a+UID=b,O=x", "UID=b+CN=a,O=x"), ("E=a@b.example", "emailAddress=a@b.example"), ("CN=a b", #"CN=a\20b"#),
      (#"CN=a\ "#, #"CN=a\20"#), ("CN=a=b", #"CN=a\=b"#), ("1.2.3=#0401", "1.2.3= #0401"),
    ])
  func same(one: String, other: String) throws {
    #expect(try #require(DistinguishedName(one)) == #require(DistinguishedName(other)))
  }

  @Test(
    "differ in every part, in their order, and in their case",
    arguments: [
      ("CN=erp,O=Example", "O=Example,CN=erp"), ("CN=erp", "CN=erp,O=Example"), ("CN=erp", "CN=Erp"),
      ("CN=a,O=b", "CN=a+O=b"), ("CN=a", "OU=a"), (#"CN=a\,O=b"#, "CN=a,O=b"), ("CN=#61", ##"CN=\#61"##),
    ])
  func different(one: String, other: String) throws {
    #expect(try #require(DistinguishedName(one)) != #require(DistinguishedName(other)))
  }

  @Test(
    "are not made of anything else",
    arguments: ["", "erp", "CN=", "CN=a,", ",CN=a", "CN=a,,O=b", "=a", #"CN=a\"#, #"CN=a\z"#, "CN=a;O=b", "CN=a+CN=a"])
  func refused(text: String) {
    #expect(DistinguishedName(text) == nil)
  }
}
