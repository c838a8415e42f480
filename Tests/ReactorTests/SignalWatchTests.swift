import Foundation
import Glibc
import LoopbackTesting
import Reactor
import Testing

@Suite struct SignalWatchTests {
  @Test("signals arrive as events of the loop, each with its number")
  func signals() throws {
    let received = Answer<[Int32]>()
    let failed = Answer<Bool>()
    // A thread of its own: the signals are blocked on it, sent to it, and read by its loop.
    Thread.detachNewThread {
      do {
        var seen: [Int32] = []
        let loop = try EventLoop()
        let watch = try SignalWatch([SIGUSR1, SIGUSR2]) { signal in
          seen.append(signal)
          guard seen.count == 2 else { return }
          loop.stop()
        }
        try watch.start(on: loop)
        raise(SIGUSR1)
        raise(SIGUSR2)
        loop.run()
        loop.remove(watch)
        received.give(seen.sorted())
        failed.give(false)
      } catch {
        failed.give(true)
      }
    }
    #expect(try !failed.take())
    #expect(try received.take() == [SIGUSR1, SIGUSR2].sorted())
  }
}
