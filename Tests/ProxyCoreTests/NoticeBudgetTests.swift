import Reactor
import Testing

@testable import ProxyCore

@Suite("Lines of the log that clients bring about") struct NoticeBudgetTests {
  @Test("are so many in a while, and as many again in the next")
  func budget() {
    var budget = NoticeBudget(lines: 2, per: .seconds(10))
    let start = Instant(nanoseconds: 1)
    let inTheMiddle = start + .seconds(9)
    let afterwards = start + .seconds(10)
    #expect([start, start, start, inTheMiddle].map { budget.spend(at: $0) } == [true, true, false, false])
    #expect([afterwards, afterwards, afterwards].map { budget.spend(at: $0) } == [true, true, false])
  }
}
