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
          #expect(!signal.isFromKernel)
          seen.append(signal.number)
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

  @Test("signals that were blocked before wait for a watch")
  func held() throws {
    let received = Answer<Int32>()
    let failed = Answer<Bool>()
    Thread.detachNewThread {
      do {
        var blocked = sigset_t()
        unsafe sigemptyset(&blocked)
        unsafe sigaddset(&blocked, SIGUSR1)
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, nil)
        raise(SIGUSR1)
        let loop = try EventLoop()
        let watch = try SignalWatch([SIGUSR1]) { signal in
          received.give(signal.number)
          loop.stop()
        }
        try watch.start(on: loop)
        loop.run()
        loop.remove(watch)
        failed.give(false)
      } catch {
        failed.give(true)
      }
    }
    #expect(try !failed.take())
    #expect(try received.take() == SIGUSR1)
  }

  @Test("a signal that the process ignores is known as such")
  func ignored() {
    // Nothing here is a member of a stopped group, nor sends this signal.
    let before = signal(SIGTTOU, SIG_IGN)
    #expect(SignalWatch.isIgnored(SIGTTOU))
    _ = signal(SIGTTOU, before)
    #expect(!SignalWatch.isIgnored(SIGTTOU))
  }
}
