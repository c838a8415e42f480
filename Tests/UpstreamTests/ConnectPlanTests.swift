import Addresses
import Reactor
import Testing

@testable import Upstream

@Suite("How an address is connected to")
struct ConnectPlanTests {
  private static let first = IPAddress.v4(0xC000_0201)
  private static let second = IPAddress.v4(0xC000_0202)
  private static let third = IPAddress.v4(0xC000_0203)
  private static let fourth = IPAddress.v4(0xC000_0204)
  private static let refused = UpstreamError.connect("refused")

  /// A plan with a clock that stands still until it is moved.
  private struct Driven {
    var plan: ConnectPlan
    var now = Instant(nanoseconds: 1_000_000_000)
    var established: Set<Int> = []

    init(attempts: Int = 3, timeout: Duration = .seconds(10)) {
      plan = ConnectPlan(host: "a.example", attempts: attempts, timeout: timeout, at: now)
    }

    /// All that is to be done now.
    mutating func actions() -> [ConnectPlan.Action] {
      var actions: [ConnectPlan.Action] = []
      while let action = plan.next(at: now, isEstablished: { [established] in established.contains($0) }) {
        actions.append(action)
      }
      // A moment that has passed would wake the loop all the time.
      #expect(plan.wake > now, "what is to be done now has been done")
      return actions
    }

    mutating func actions(after milliseconds: Int) -> [ConnectPlan.Action] {
      now = now + .milliseconds(milliseconds)
      return actions()
    }

    /// What is to be done when the plan says that there is something, and how long that takes.
    mutating func nextActions() -> (milliseconds: Int, actions: [ConnectPlan.Action]) {
      let began = now
      now = max(now, plan.wake)
      return (Int((now - began) / 1_000_000), actions())
    }

    mutating func choose(_ addresses: [IPAddress]) -> [ConnectPlan.Action] {
      #expect(actions() == [.choose])
      plan.use(addresses)
      return actions()
    }
  }

  @Test("one address is tried once at a time")
  func single() {
    var driven = Driven()
    #expect(driven.choose([Self.first]) == [.start(Self.first, attempt: 1)])
    #expect(driven.actions(after: 5000) == [])
    #expect(driven.plan.connected(1, at: driven.now) == [])
    #expect(driven.actions() == [])
    #expect(driven.plan.wake == .never)
  }

  @Test("while one does not connect, the next one is tried beside it after 250 ms, up to the number of attempts")
  func silent() {
    var driven = Driven()
    #expect(driven.choose([Self.first, Self.second, Self.third, Self.fourth]) == [.start(Self.first, attempt: 1)])
    #expect(driven.actions(after: 249) == [])
    #expect(driven.nextActions() == (1, [.start(Self.second, attempt: 2)]))
    #expect(driven.nextActions() == (250, [.start(Self.third, attempt: 3)]))
    // The fourth one is not tried: the three go on until the time is over.
    let (milliseconds, actions) = driven.nextActions()
    #expect(milliseconds == 9500)
    #expect(
      actions == [.fail(.connectTimeout("no connection to 192.0.2.1, 192.0.2.2, 192.0.2.3 within 10000 ms"))])
    #expect(driven.plan.isOverdue)
    #expect(driven.plan.active.map(\.address) == [Self.first, Self.second, Self.third])
  }

  @Test("the first one that connects is used, and those that were waited for longer are as good as failed")
  func overtaking() {
    var driven = Driven()
    _ = driven.choose([Self.first, Self.second, Self.third])
    _ = driven.nextActions()
    _ = driven.actions(after: 20)
    #expect(driven.plan.connected(2, at: driven.now).map(\.address) == [Self.first])
    #expect(driven.actions(after: 60_000) == [])
  }

  @Test("one that connects after all is not overtaken, nor is one that began later")
  func late() {
    var driven = Driven()
    _ = driven.choose([Self.first, Self.second])
    _ = driven.nextActions()
    #expect(driven.plan.connected(1, at: driven.now + .milliseconds(500)) == [])
  }

  @Test("where TCP has connected and TLS goes on, the next one waits for a second")
  func handshake() {
    var driven = Driven()
    driven.established = [1]
    _ = driven.choose([Self.first, Self.second])
    #expect(driven.actions(after: 999) == [])
    #expect(driven.actions(after: 1) == [.start(Self.second, attempt: 2)])
  }

  @Test("when one fails, the next one is tried at once")
  func failing() {
    var driven = Driven()
    _ = driven.choose([Self.first, Self.second])
    driven.plan.failed(1, Self.refused, mayPass: true)
    #expect(driven.actions() == [.start(Self.second, attempt: 2)])
  }

  @Test("when all have failed, they are tried again after pauses, of a second together")
  func pauses() {
    var driven = Driven()
    _ = driven.choose([Self.first, Self.second])
    driven.plan.failed(1, Self.refused, mayPass: true)
    _ = driven.actions()
    driven.plan.failed(2, Self.refused, mayPass: true)
    var pauses: [Int] = []
    var attempt = 2
    while true {
      #expect(driven.actions() == (pauses.count == 5 ? [.fail(Self.refused)] : []))
      guard pauses.count < 5 else { break }
      let (milliseconds, actions) = driven.nextActions()
      pauses.append(milliseconds)
      #expect(actions == [.choose])
      // What is known of the addresses may be another order by now.
      driven.plan.use([Self.second, Self.first])
      for address in [Self.second, Self.first] {
        attempt += 1
        #expect(driven.actions() == [.start(address, attempt: attempt)])
        driven.plan.failed(attempt, Self.refused, mayPass: true)
      }
    }
    #expect(pauses == [50, 100, 200, 300, 350])
    #expect(!driven.plan.isOverdue)
  }

  @Test("no pause goes on to the end of the time")
  func shortTime() {
    var driven = Driven(timeout: .milliseconds(100))
    _ = driven.choose([Self.first])
    driven.plan.failed(1, Self.refused, mayPass: true)
    #expect(driven.actions() == [])
    #expect(driven.nextActions() == (50, [.choose]))
    driven.plan.use([Self.first])
    _ = driven.actions()
    driven.plan.failed(2, Self.refused, mayPass: true)
    #expect(driven.actions() == [.fail(Self.refused)])
  }

  @Test("with one attempt there is no other")
  func one() {
    var driven = Driven(attempts: 1)
    #expect(driven.choose([Self.first, Self.second]) == [.start(Self.first, attempt: 1)])
    #expect(driven.actions(after: 1000) == [])
    driven.plan.failed(1, Self.refused, mayPass: true)
    #expect(driven.actions() == [.fail(Self.refused)])
  }

  @Test("a failure that does not pass ends it, unless another attempt is under way")
  func final() {
    let error = UpstreamError.certificate("expired")
    var driven = Driven()
    _ = driven.choose([Self.first, Self.second, Self.third])
    driven.plan.failed(1, error, mayPass: false)
    #expect(driven.actions() == [.fail(error)])

    driven = Driven()
    _ = driven.choose([Self.first, Self.second, Self.third])
    _ = driven.nextActions()
    driven.plan.failed(1, error, mayPass: false)
    #expect(driven.actions(after: 1000) == [])
    driven.plan.failed(2, Self.refused, mayPass: true)
    #expect(driven.actions() == [.fail(error)])
  }

  @Test("a name that is not resolved in time is an error of DNS; one that has no addresses is its own")
  func names() {
    var driven = Driven()
    #expect(driven.actions() == [.choose])
    #expect(driven.nextActions() == (10_000, [.fail(.dns("a.example was not resolved within 10000 ms"))]))

    driven = Driven()
    #expect(driven.actions() == [.choose])
    driven.plan.cannotChoose(.dns("no such name"))
    #expect(driven.actions() == [.fail(.dns("no such name"))])
  }

  @Test(
    "failures after which another attempt may do better",
    arguments: [
      (UpstreamError.connect(""), 111, .none, ConnectFault.refused), (.connect(""), 113, .none, .unreachable),
      (.connect(""), 110, .none, .timeout), (.connect(""), 104, .none, .reset), (.connect(""), 0, .none, .unreachable),
      (.connectTimeout(""), 0, .none, .timeout), (.broken(""), 0, .none, .reset), (.tls("any"), 0, .lost, .reset),
      (.tls("any"), 0, .unknown, .reset), (.tls("any"), 104, .refused, nil), (.tls("unexpected eof"), 0, .none, nil),
      (.certificate(""), 0, .lost, nil), (.parentProxyRefusal("", status: 503), 0, .none, nil),
      (.noDescriptors, 0, .none, nil), (.dns(""), 0, .none, nil),
    ] as [(UpstreamError, Int32, HandshakeEnd, ConnectFault?)])
  func faults(error: UpstreamError, number: Int32, handshake: HandshakeEnd, fault: ConnectFault?) {
    #expect(ConnectFault(error, system: number, handshake: handshake) == fault)
  }
}

@Suite("Addresses that failed")
struct FailedAddressesTests {
  private static let v4 = (1...3).map { IPAddress.v4(0xC000_0200 + UInt32($0)) }
  private static let v6 = (1...2).map { IPAddress.v6(0x2001_0db8 << 96 + UInt128($0)) }
  private static let start = Instant(nanoseconds: 1_000_000_000)

  @Test("families take turns, beginning with that of the first address")
  func families() {
    #expect(
      FailedAddresses.alternating(Self.v6 + Self.v4) == [Self.v6[0], Self.v4[0], Self.v6[1], Self.v4[1], Self.v4[2]])
    #expect(
      FailedAddresses.alternating(Self.v4 + Self.v6) == [Self.v4[0], Self.v6[0], Self.v4[1], Self.v6[1], Self.v4[2]])
    #expect(FailedAddresses.alternating([]) == [])
  }

  @Test("one that failed is tried last for 30 s, then by one connection, and as before once it works")
  func order() {
    var failed = FailedAddresses(limit: 10)
    failed.failed(Self.v4[0], port: 443, at: Self.start)
    let late = [Self.v4[1], Self.v4[2], Self.v4[0]]
    #expect(failed.order(Self.v4, port: 443, at: Self.start) == late)
    #expect(failed.order(Self.v4, port: 80, at: Self.start) == Self.v4)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(29)) == late)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(30)) == Self.v4)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(31)) == late)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(32)) == Self.v4)
    failed.worked(Self.v4[0], port: 443)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(33)) == Self.v4)
    #expect(failed.count == 0)
  }

  @Test("of those that failed the first one to fail comes first")
  func allFailed() {
    var failed = FailedAddresses(limit: 10)
    for (second, index) in [2, 0, 1].enumerated() {
      failed.failed(Self.v4[index], port: 443, at: Self.start + .seconds(second))
    }
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(5)) == [Self.v4[2], Self.v4[0], Self.v4[1]])
  }

  @Test("there are no more of them than the limit; the oldest ones are forgotten")
  func limit() {
    var failed = FailedAddresses(limit: 2)
    for (second, address) in Self.v4.enumerated() {
      failed.failed(address, port: 443, at: Self.start + .seconds(second))
    }
    #expect(failed.count == 2)
    #expect(failed.order(Self.v4, port: 443, at: Self.start + .seconds(5)) == Self.v4)
  }
}
