import Testing

@testable import Routing

@Suite struct HostTableTests {
  @Test("every one of many hosts is found, and no other")
  func many() {
    var table = HostTable<Int>()
    for number in 0..<1_000 { table.update("host-\(number).test", default: 0) { $0 = number } }
    for number in 0..<1_000 {
      let (name, other) = (Array("Host-\(number).TEST".utf8), Array("host-\(number).tesu".utf8))
      #expect(table.value(for: name.span) == number)
      #expect(table.value(for: other.span) == nil)
    }
  }

  @Test("the longest known domain above a host is found among many, with and without a reason to pass it over")
  func domains() {
    var table = HostTable<Int>()
    func find(_ host: String, unless passedOver: Int? = nil) -> Int? {
      let host = Array(host.utf8)
      return table.value(above: host.span) { $0 != passedOver }
    }
    for number in 0..<1_000 { table.update("d\(number).test", default: 0) { $0 = number } }
    table.update("b.d7.test", default: 0) { $0 = 7_777 }
    for number in 0..<1_000 {
      #expect(find("a.D\(number).Test.") == number)
      #expect(find("a.d\(number).test", unless: number) == nil)
    }
    #expect(find("a.b.d7.test") == 7_777)
    #expect(find("a.b.d7.test", unless: 7_777) == 7)
    #expect(find(String(repeating: "a.", count: 120) + "d9.test") == 9)
    #expect(find("d7.test") == nil)
  }

  @Test("a second update changes the first value, and an empty table finds nothing")
  func updates() {
    var table = HostTable<[String]>()
    let name = Array("a.test".utf8)
    #expect(table.value(for: name.span) == nil)
    table.update("a.test", default: []) { $0.append("one") }
    table.update("a.test", default: []) { $0.append("two") }
    #expect(table.value(for: name.span) == ["one", "two"])
  }
}
