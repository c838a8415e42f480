import Foundation
import Locks
import Testing

@Suite struct MonitorTests {
  private struct Ledger {
    var entries: [Int] = []
    var endings = 0
  }

  // Long enough that several threads want the lock at the same time: under the thread sanitizer this is also the test
  // that it sees through a lock that is fought for.
  @Test("what many threads do to the value at the same time is done one after another")
  func exclusion() {
    let ledger = Monitor(Ledger())
    for thread in 0..<4 {
      Thread.detachNewThread {
        for _ in 0..<5_000 { ledger.withLock { $0.entries.append(thread) } }
        ledger.withLock { $0.endings += 1 }
        ledger.wakeAll()
      }
    }
    let entries = ledger.wait(while: { $0.endings < 4 }, milliseconds: 60_000) { $0.entries }
    for thread in 0..<4 { #expect(entries.count { $0 == thread } == 5_000) }
  }

  @Test("a waiting thread rechecks its condition when woken, and goes on when it holds")
  func waiting() {
    let number = Monitor(0)
    Thread.detachNewThread {
      for _ in 0..<3 {
        number.withLock { $0 += 1 }
        number.wakeAll()
      }
    }
    let seen = number.wait(while: { $0 < 3 }) { number in
      defer { number = 0 }
      return number
    }
    #expect(seen == 3)
    #expect(number.withLock { $0 } == 0)
  }

  @Test("a wait that has a limit ends there, with nothing changed")
  func limit() {
    let number = Monitor(1)
    #expect(number.wait(while: { $0 == 1 }, milliseconds: 1) { $0 } == 1)
  }
}
