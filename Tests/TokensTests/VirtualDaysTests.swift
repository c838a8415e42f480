import Locks
import SeededRandom
import Testing
import Tokens

@Suite("Days of traffic in the time of a manual clock")
struct VirtualDaysTests {

  private enum Fault: CaseIterable {
    case refusesConnections, timesOut, fails, isEmpty, isPage, isTruncated, throttles

    var reply: ScriptedTokenEndpoint.Reply {
      switch self {
      case .refusesConnections: .failure(.unreachable(detail: "refused"))
      case .timesOut: .failure(.timedOut(detail: ""))
      case .fails: .success(.json("", status: 503))
      case .isEmpty: .success(.json(""))
      case .isPage: .success(.json("<html>"))
      case .isTruncated: .success(.json(#"{"access_token": "abc"#))
      case .throttles: .success(.json("", status: 429, retryAfter: "5"))
      }
    }
  }

  /// A value that a test changes, and the endpoint reads.
  private final class Current<Value: Sendable>: Sendable {
    private let storage: Monitor<Value>

    init(_ value: Value) { storage = Monitor(value) }

    var value: Value {
      get { storage.withLock { $0 } }
      set { storage.withLock { $0 = newValue } }
    }
  }

  /// What `days` of requests by 64 clients came to.
  private struct Figures {
    var requests = 0
    var fetched = 0
    var failures = 0
    var unexplained = 0
    var expired = 0
    var waited = 0
  }

  /// - Parameter outages: the longest outage of the token endpoint, in seconds; there are some each day.
  private func live(days: Int, lifetime: Int, outages: Int, seed: UInt64) async -> Figures {
    var chance = SplitMix(state: seed)
    var figures = Figures()
    let workshop = Workshop(random: 0.5)
    let clock = workshop.clock
    let end = clock.now.advanced(by: .seconds(days * 86_400))
    var outage: (from: TokenInstant, until: TokenInstant)?
    let fault = Current<Fault?>(nil)
    workshop.endpoint.otherwise {
      if let fault = fault.value { return fault.reply }
      // No two tokens are alike: the moment is in each.
      let claims = #"{"exp": \#(clock.wallSeconds + Int64(lifetime)), "jti": "\#(clock.now.nanoseconds)"}"#
      return .success(.token(webToken(claims), expiresIn: lifetime))
    }

    var next: Fault?
    var pauseEnd = clock.now
    while clock.now < end {
      // 64 clients, each with a request every five minutes or so.
      await workshop.pass(.milliseconds(Int.random(in: 0..<10_000, using: &chance)))
      let now = clock.now
      if outage.map({ $0.until <= now }) ?? true {
        let from = now.advanced(by: .seconds(Int.random(in: 0..<7200, using: &chance)))
        outage = (from, from.advanced(by: .seconds(Int.random(in: 1...outages, using: &chance))))
        next = Fault.allCases.randomElement(using: &chance)
      }
      fault.value = outage.map { $0.from <= now } ?? false ? next : nil
      figures.requests += 1
      var token = workshop.source.current()
      if token == nil {
        figures.waited += 1
        switch await workshop.obtain() {
        case .success(let fetched)?: token = fetched
        case .failure?:
          figures.failures += 1
          if fault.value == nil, now > pauseEnd { figures.unexplained += 1 }
        case nil: figures.unexplained += 1
        }
      } else {
        await workshop.runFetches()
      }
      // A request during the back-off after an outage gets an error that says so.
      if fault.value != nil { pauseEnd = clock.now.advanced(by: .seconds(60)) }
      if let token, !token.isUsable(at: clock.moment) { figures.expired += 1 }
    }
    figures.fetched = workshop.source.grant.spending.sinceStart
    return figures
  }

  @Test(
    "five days without a fault: one request waits, and fetches are within 5 % of the least", arguments: [300, 3600])
  func undisturbed(lifetime: Int) async {
    let figures = await live(days: 5, lifetime: lifetime, outages: 1, seed: 1)
    let window = min(max(lifetime / 5, 30), 300)
    let least = 5.0 * 86_400 / Double(lifetime - window)
    #expect(figures.waited == 1 && figures.failures == 0 && figures.expired == 0)
    #expect(Double(figures.fetched) < least * 1.05)
  }

  @Test(
    "five days with faults of every kind that are shorter than what is left of a token: no request fails",
    arguments: 1...2)
  func faults(seed: UInt64) async {
    let figures = await live(days: 5, lifetime: 3600, outages: 240, seed: seed)
    #expect(figures.waited == 1 && figures.failures == 0 && figures.expired == 0)
    #expect(Double(figures.fetched) < 5.0 * 86_400 / 3300 * 1.05)
  }

  @Test(
    "five days with outages of half an hour: only they are noticed, and no expired token is used", arguments: 1...2)
  func longOutages(seed: UInt64) async {
    let figures = await live(days: 5, lifetime: 3600, outages: 1800, seed: seed)
    #expect(figures.unexplained == 0 && figures.expired == 0)
    #expect(figures.failures < figures.requests / 20)
  }
}
