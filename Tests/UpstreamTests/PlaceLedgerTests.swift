import SeededRandom
import Testing

@testable import Upstream

@Suite struct PlaceLedgerTests {
  private final class Request {}

  /// A ledger that expectations can change.
  private final class Ledger {
    private(set) var value: PlaceLedger<Request>

    init(places: Int, queueLimit: Int) { value = PlaceLedger(places: places, queueLimit: queueLimit) }

    func goesOn(_ client: ClientKey, most: Int = 3, on loop: Int) -> Bool {
      if case .goesOn = value.arrive(Request(), of: client, most: most, on: loop) { true } else { false }
    }

    /// Requests a place where none is free: which loops are asked what they keep; nil where the request does not wait.
    func asked(
      _ request: Request = Request(), of client: ClientKey, most: Int = 3, on loop: Int
    ) -> PlaceLedger<Request>.Asked? {
      if case .waits(nil, let asked) = value.arrive(request, of: client, most: most, on: loop) { asked } else { nil }
    }

    func use(
      keptFor holder: ClientKey, by client: ClientKey, most: Int, on loop: Int
    ) -> PlaceLedger<Request>.Change {
      value.use(keptFor: holder, by: client, most: most, on: loop)
    }

    func report(keptFor holder: ClientKey, on loop: Int) -> Request? { value.report(keptFor: holder, on: loop) }
    func leave(_ holder: ClientKey, on loop: Int) -> Request? { value.leave(holder, on: loop) }
  }

  private let greedy = ClientKey(kind: 2, number: 1)
  private let modest = ClientKey(kind: 2, number: 2)
  private let ledger = Ledger(places: 4, queueLimit: 10)

  @Test("loops share the places, and one client has its share of all of them, wherever it comes from")
  func share() {
    for loop in 1...3 { #expect(ledger.goesOn(greedy, on: loop)) }
    #expect(!ledger.value.isShort)
    #expect(ledger.asked(of: greedy, on: 4) == .all)
    #expect(ledger.value.isShort && ledger.value.taken == 3)
    #expect(ledger.goesOn(modest, on: 4))
    #expect(ledger.value.taken == 4)
  }

  @Test("a place that is free goes to the client that has fewest, on whichever loop it waits")
  func fewestFirst() {
    for loop in 1...3 { #expect(ledger.goesOn(greedy, on: loop)) }
    #expect(ledger.goesOn(modest, on: 1))
    let (first, second) = (Request(), Request())
    #expect(ledger.asked(first, of: greedy, on: 1) == .all)
    #expect(ledger.asked(second, of: modest, on: 2) == PlaceLedger.Asked.none)
    #expect(ledger.report(keptFor: greedy, on: 1) === second)
    #expect(ledger.leave(greedy, on: 1) === first)
    #expect([greedy, modest].map { ledger.value.charge(of: $0) } == [2, 2])
  }

  @Test("kept connections serve requests of other loops: all loops are asked once, later those known to keep one")
  func kept() {
    for loop in 1...3 { #expect(ledger.goesOn(greedy, on: loop)) }
    #expect(ledger.goesOn(modest, on: 1))
    // The connections of greedy on loops 2 and 3 are kept; the ledger has not been told.
    let waiter = Request()
    #expect(ledger.asked(waiter, of: modest, on: 4) == .all)
    #expect(ledger.report(keptFor: greedy, on: 2) === waiter)
    #expect(ledger.report(keptFor: greedy, on: 3) == nil)
    // Still short, with all places taken: loop 3 keeps one that is charged to no client.
    #expect(ledger.value.isShort && ledger.value.charge(of: greedy) == 1)
    let next = Request()
    #expect(ledger.asked(next, of: modest, on: 1) == .some([3]))
    #expect(ledger.report(keptFor: .unused, on: 3) === next)
    #expect(ledger.value.taken == 4)
  }

  @Test("a kept connection may be used by another client within its share, while no request waits")
  func anotherClient() {
    for loop in 1...3 { #expect(ledger.goesOn(greedy, on: loop)) }
    #expect(ledger.use(keptFor: greedy, by: modest, most: 3, on: 1) == .isMade)
    #expect(ledger.use(keptFor: modest, by: greedy, most: 2, on: 1) == .isAtShare)
    #expect(ledger.use(keptFor: greedy, by: greedy, most: 2, on: 2) == .isMade)
    #expect([greedy, modest].map { ledger.value.charge(of: $0) } == [2, 1])
    #expect(ledger.asked(of: greedy, most: 2, on: 1) == .all)
    #expect(ledger.use(keptFor: greedy, by: modest, most: 3, on: 2) == .mustReport)
  }

  @Test("a request of a smaller share asks before it uses what its client is charged for by others")
  func shares() {
    #expect(ledger.goesOn(greedy, most: 3, on: 1))
    #expect(ledger.value.largestShare == 3)
    #expect(ledger.goesOn(modest, most: .max, on: 1))
    #expect(ledger.value.largestShare == 4)
  }

  @Test("among clients with equally many, requests of the same loop go first, but not for ever")
  func patience() {
    let ledger = Ledger(places: 1, queueLimit: 100)
    #expect(ledger.goesOn(greedy, on: 1))
    let far = Request()
    #expect(ledger.asked(far, of: modest, on: 2) == .all)
    var near: [Request] = []
    for number in 0..<20 {
      near.append(Request())
      #expect(ledger.asked(near[number], of: greedy, on: 1) == PlaceLedger.Asked.none)
    }
    var nearOnes = 0
    while let next = ledger.report(keptFor: greedy, on: 1), next !== far { nearOnes += 1 }
    #expect(nearOnes == 8)
    #expect(ledger.value.charge(of: modest) == 1)
  }

  @Test("with a short queue no request is rejected for connections that another loop keeps")
  func shortQueue() {
    let ledger = Ledger(places: 2, queueLimit: 0)
    #expect(ledger.value.isShort)
    #expect(ledger.goesOn(greedy, on: 1) && ledger.goesOn(greedy, on: 1))
    #expect(ledger.report(keptFor: greedy, on: 1) == nil)
    #expect(ledger.asked(of: greedy, on: 2) == .some([1]))
    #expect(ledger.report(keptFor: .unused, on: 1) != nil)
    #expect(ledger.asked(of: greedy, on: 2) == nil)
    #expect(!ledger.goesOn(greedy, on: 2))
  }

  /// Loops that do what ``UpstreamPool`` does, with what they are asked on its way for as long as the schedule likes.
  private struct Model {
    struct Waiting {
      let request: Request
      let client: ClientKey
      let most: Int
      let loop: Int
    }

    var ledger: PlaceLedger<Request>
    var used: [(loop: Int, client: ClientKey)] = []
    var kept: [(loop: Int, holder: ClientKey)] = []
    var waiting: [Waiting] = []
    /// Loops that have been asked to report.
    var asked: Set<Int> = []
    let loops: Range<Int>

    func uses(_ client: ClientKey) -> Int { used.count { $0.client == client } }

    /// `request` has a place, after a connection of `loop` is not used any more, or is no more.
    mutating func isGiven(_ request: Request, isExact: Bool) {
      let index = waiting.firstIndex { $0.request === request }!
      let next = waiting.remove(at: index)
      #expect(uses(next.client) < next.most, "no client is above its share")
      if isExact {
        let others = waiting.filter { uses($0.client) < $0.most }.map { uses($0.client) }
        #expect(others.allSatisfy { $0 >= uses(next.client) }, "fewest first")
      }
      used.append((next.loop, next.client))
    }

    mutating func report(_ loop: Int) {
      asked.remove(loop)
      for index in kept.indices.reversed() where kept[index].loop == loop {
        if let next = ledger.report(keptFor: kept[index].holder, on: loop) {
          kept.remove(at: index)
          isGiven(next, isExact: false)
        } else {
          kept[index].holder = .unused
        }
      }
    }

    mutating func ask(_ client: ClientKey, most: Int, on loop: Int) {
      while let index = kept.lastIndex(where: { $0.loop == loop }) {
        let holder = kept[index].holder
        if holder == client, !ledger.isShort, most >= ledger.largestShare {
          used.append((loop, client))
          kept.remove(at: index)
          return
        }
        switch ledger.use(keptFor: holder, by: client, most: most, on: loop) {
        case .isMade:
          #expect(uses(client) < most)
          used.append((loop, client))
          kept.remove(at: index)
          return
        case .isAtShare: break
        case .mustReport:
          report(loop)
          continue
        }
        break
      }
      let request = Request()
      switch ledger.arrive(request, of: client, most: most, on: loop) {
      case .goesOn:
        #expect(uses(client) < most)
        used.append((loop, client))
      case .waits(let displaced, let asked):
        if let displaced { waiting.removeAll { $0.request === displaced } }
        waiting.append(Waiting(request: request, client: client, most: most, loop: loop))
        switch asked {
        case .none: break
        case .all: self.asked.formUnion(loops)
        case .some(let numbers): self.asked.formUnion(numbers)
        }
      case .isRefused: #expect(waiting.count >= ledger.queueLimit)
      }
    }

    mutating func giveBack(_ index: Int, isUsable: Bool) {
      let (loop, client) = used.remove(at: index)
      let next: Request?
      if !isUsable {
        next = ledger.leave(client, on: loop)
      } else if ledger.isShort {
        next = ledger.report(keptFor: client, on: loop)
        if next == nil { kept.append((loop, .unused)) }
      } else {
        next = nil
        kept.append((loop, client))
      }
      if let next { isGiven(next, isExact: asked.isEmpty) }
    }
  }

  @Test(
    "whatever happens on whichever loop, the limit holds, no client is above its share, and who may have a place gets it",
    arguments: 0..<100)
  func schedules(seed: UInt64) {
    var random = SplitMix(state: seed)
    let places = Int.random(in: 1...12, using: &random)
    let queueLimit = Int.random(in: 0...20, using: &random)
    let loops = 0..<Int.random(in: 2...8, using: &random)
    let clients = (0..<Int.random(in: 1...5, using: &random)).map { ClientKey(kind: 0, number: UInt64($0)) }
    let shares = (0..<Int.random(in: 1...2, using: &random)).map { _ in Int.random(in: 1...places, using: &random) }
    var model = Model(ledger: PlaceLedger(places: places, queueLimit: queueLimit), loops: loops)
    for _ in 0..<800 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0..<5:
        model.ask(
          clients.randomElement(using: &random)!, most: shares.randomElement(using: &random)!,
          on: loops.randomElement(using: &random)!)
      case 5..<8 where !model.used.isEmpty:
        model.giveBack(
          model.used.indices.randomElement(using: &random)!, isUsable: Int.random(in: 0..<4, using: &random) > 0)
      case 8 where !model.kept.isEmpty:
        let (loop, holder) = model.kept.remove(at: model.kept.indices.randomElement(using: &random)!)
        if let next = model.ledger.leave(holder, on: loop) { model.isGiven(next, isExact: false) }
      case 9 where !model.waiting.isEmpty:
        let gone = model.waiting.remove(at: model.waiting.indices.randomElement(using: &random)!)
        let hasWaited = model.ledger.withdraw(gone.request, of: gone.client, most: gone.most, on: gone.loop)
        #expect(hasWaited)
      case 10:
        if let loop = model.asked.randomElement(using: &random) { model.report(loop) }
      case 11: while let loop = model.asked.min() { model.report(loop) }
      default: break
      }
      #expect(model.ledger.taken == model.used.count + model.kept.count && model.ledger.taken <= places)
      #expect(model.ledger.waiting == model.waiting.count)
      guard model.asked.isEmpty else { continue }
      let mayUse = model.waiting.contains { model.uses($0.client) < $0.most }
      if mayUse { #expect(model.used.count == places, "who may have a connection does not wait for one") }
    }
  }
}
