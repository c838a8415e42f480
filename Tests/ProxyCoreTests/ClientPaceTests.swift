import Testing

@testable import ProxyCore

@Suite("The pace of a client") struct ClientPaceTests {
  private static let second: UInt64 = 1_000_000_000

  @Test("a client at the minimum rate is never behind by more than one wait")
  func steady() {
    var pace = ClientPace(rate: 100)
    for round in 1...1000 {
      pace.waited(nanoseconds: Self.second)
      #expect(pace.behind == Self.second)
      pace.moved(total: UInt64(round) * 100)
      #expect(pace.behind == 0)
    }
  }

  @Test("a slower client falls behind, however short the waits are")
  func slow() {
    var pace = ClientPace(rate: 100)
    for byte in 1...600 {
      pace.waited(nanoseconds: Self.second / 10)
      pace.moved(total: UInt64(byte))
    }
    // A minute was waited, and 600 bytes are worth six seconds.
    #expect(pace.behind == 54 * Self.second)
  }

  @Test("being early earns nothing for later")
  func early() {
    var pace = ClientPace(rate: 100)
    pace.moved(total: .max / 2)
    pace.waited(nanoseconds: 5 * Self.second)
    #expect(pace.behind == 5 * Self.second)
  }

  @Test("without a rate no client is ever behind")
  func off() {
    var pace = ClientPace(rate: nil)
    pace.waited(nanoseconds: .max)
    #expect(pace.behind == 0)
  }
}
