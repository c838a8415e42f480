import Bytes
import LoopbackTesting
import Reactor
import Testing
import Upstream

@testable import ProxyCore

@Suite("Requests that wait for memory") struct MemoryGateTests {
  private static let hog = ClientKey(kind: 1, number: 1)
  private static let other = ClientKey(kind: 1, number: 2)
  private static let need = MemoryGate.bytesPerRequest

  /// A gate whose account has room for 80 requests, and is `taken`.
  private final class Setting {
    let account = MemoryAccount(limit: 80 * MemoryGateTests.need)
    var counts: [ClientKey: Int] = [:]
    let wakeup: Wakeup
    // Whatever moment; the gate has no clock.
    var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var gate: MemoryGate!

    init(taken requests: Int, queueLimit: Int = 10, loops: Int = 1) throws {
      wakeup = Wakeup(on: try EventLoop())
      account.charge(requests * MemoryGateTests.need)
      gate = MemoryGate(account, queueLimit: queueLimit, loops: loops) { [unowned self] in counts }
    }

    func arrive(_ client: ClientKey, bytes: Int = 0) -> MemoryGate.Arrival {
      gate.arrive(client, at: wakeup, bytes: bytes, now)
    }

    func begins(_ client: ClientKey) -> Bool {
      if case .begins = arrive(client) { true } else { false }
    }

    func waits(_ client: ClientKey, bytes: Int = 0) throws -> MemoryGate.Waiter {
      guard case .waits(let waiter) = arrive(client, bytes: bytes) else { throw Unexpected() }
      return waiter
    }

    func pass(milliseconds: UInt64) {
      now = Instant(nanoseconds: now.nanoseconds + milliseconds * 1_000_000)
    }
  }

  private struct Unexpected: Error {}

  @Test("begin at once while memory is not tight")
  func plenty() throws {
    let setting = try Setting(taken: 59)
    setting.counts = [Self.hog: 1000]
    #expect(setting.begins(Self.hog))
  }

  @Test("of a client with many under way wait when it is tight, and those of one with few begin")
  func fairness() throws {
    let setting = try Setting(taken: 72)
    setting.counts = [Self.hog: 8]
    let waiter = try setting.waits(Self.hog)
    #expect(setting.begins(Self.other))
    #expect(!waiter.isAdmitted && setting.gate.waiting == 1)
  }

  @Test("begin one by one as long as there is room, even before the account shows their memory")
  func pacing() throws {
    let setting = try Setting(taken: 74)
    #expect(setting.begins(Self.other) && setting.begins(Self.hog))
    // Four are left; each client has one.
    #expect(setting.begins(Self.other) && setting.begins(Self.hog))
    // Two are left, and each has two.
    _ = try setting.waits(Self.other)
    _ = try setting.waits(Self.hog)
  }

  @Test("of unknown clients begin at the limit")
  func full() throws {
    let setting = try Setting(taken: 80)
    let waiter = try setting.waits(Self.other)
    setting.pass(milliseconds: 1000)
    setting.gate.look(setting.now)
    #expect(!waiter.isAdmitted)
  }

  @Test("begin when memory was given back, as many as there is room for")
  func waking() throws {
    let setting = try Setting(taken: 80)
    let waiters = try (0..<5).map { _ in try setting.waits(Self.other) }
    setting.account.release(3 * Self.need)
    setting.gate.look(setting.now)
    // The counting is not 100 ms old: what was known of the client is nothing under way.
    #expect(waiters.map(\.isAdmitted) == [true, true, false, false, false])
    setting.account.release(60 * Self.need)
    setting.pass(milliseconds: 100)
    setting.gate.look(setting.now)
    #expect(waiters.map(\.isAdmitted) == [true, true, true, true, true])
    #expect(setting.gate.waiting == 0)
  }

  @Test("go in the order of how few requests their clients have in progress")
  func order() throws {
    let setting = try Setting(taken: 80)
    setting.counts = [Self.hog: 50]
    let first = try setting.waits(Self.hog)
    let second = try setting.waits(Self.other)
    setting.account.release(2 * Self.need)
    setting.gate.look(setting.now)
    #expect(!first.isAdmitted && second.isAdmitted)
  }

  @Test("give way in a full queue to those of a client that has fewer")
  func displacement() throws {
    let setting = try Setting(taken: 80, queueLimit: 3)
    let waiters = try (0..<3).map { _ in try setting.waits(Self.hog) }
    if case .isRefused = setting.arrive(Self.hog) {} else { Issue.record("a fourth one was not refused") }
    _ = try setting.waits(Self.other)
    #expect(waiters.map(\.isDisplaced) == [false, false, true])
    #expect(setting.gate.waiting == 3)
  }

  @Test("give way as well when those that wait take an eighth of the limit")
  func waitingBytes() throws {
    // An eighth is ten.
    let setting = try Setting(taken: 80, queueLimit: 100)
    let waiters = try (0..<3).map { _ in try setting.waits(Self.hog, bytes: 3 * Self.need) }
    if case .isRefused = setting.arrive(Self.hog, bytes: 2 * Self.need) {} else { Issue.record("was not refused") }
    _ = try setting.waits(Self.other, bytes: 2 * Self.need)
    #expect(waiters.map(\.isDisplaced) == [false, false, true])
    setting.gate.withdraw(waiters[0], of: Self.hog)
    _ = try setting.waits(Self.hog, bytes: 5 * Self.need)
    if case .isRefused = setting.arrive(Self.hog, bytes: 1) {} else { Issue.record("was not refused") }
  }

  @Test("give way only if that makes room")
  func displacementInVain() throws {
    let setting = try Setting(taken: 80, queueLimit: 100)
    let waiters = try (0..<2).map { _ in try setting.waits(Self.hog, bytes: 5 * Self.need) }
    // Without one of them there is still no room, and the last one of a client gives way to none.
    if case .isRefused = setting.arrive(Self.other, bytes: 8 * Self.need) {} else { Issue.record("was not refused") }
    #expect(waiters.map(\.isDisplaced) == [false, false])
    #expect(setting.gate.waiting == 2)
    setting.gate.withdraw(waiters[0], of: Self.hog)
    _ = try setting.waits(Self.other, bytes: 5 * Self.need)
  }

  @Test("wait even when one alone takes more than that")
  func largeWaiter() throws {
    let setting = try Setting(taken: 80)
    _ = try setting.waits(Self.other, bytes: 20 * Self.need)
  }

  @Test("are forgotten when they wait no more")
  func withdrawal() throws {
    let setting = try Setting(taken: 80)
    let waiter = try setting.waits(Self.other)
    setting.gate.withdraw(waiter, of: Self.other)
    #expect(setting.gate.waiting == 0)
    setting.account.release(80 * Self.need)
    setting.pass(milliseconds: 100)
    setting.gate.look(setting.now)
    #expect(!waiter.isAdmitted)
  }

  @Test("have a part of the room for each loop")
  func loops() throws {
    let setting = try Setting(taken: 74, loops: 6)
    #expect(setting.begins(Self.other))
    _ = try setting.waits(Self.hog)
  }

  @Test("begin while there is room for one, however many loops share it")
  func manyLoops() throws {
    let setting = try Setting(taken: 79, loops: 128)
    #expect(setting.begins(Self.other))
    _ = try setting.waits(Self.hog)
    let full = try Setting(taken: 80, loops: 128)
    _ = try full.waits(Self.other)
  }
}
