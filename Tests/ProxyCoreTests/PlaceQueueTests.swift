import Configuration
import LoopbackTesting
import Reactor
import Synchronization
import Testing
import Upstream

@testable import ProxyCore

@Suite("Places and the queue before them") struct PlaceQueueTests {
  private final class Guest {}

  /// The state of a guest as an observer sees it.
  private enum Status: Equatable { case outside, inside, waiting }

  /// Everything that can happen, `depth` times in a row, from what `queue` is now; guests are numbered.
  private func explore(
    _ queue: PlaceQueue<Guest>, _ guests: [Guest], _ status: [Status], _ order: [Int], depth: Int, _ visits: inout Int
  ) {
    visits += 1
    let inside = status.count { $0 == .inside }
    #expect(queue.taken == inside && inside <= queue.places)
    #expect(queue.waiting == order.count && order.count <= queue.queueLimit)
    #expect(order.isEmpty || inside == queue.places, "no guest waits while a place is free")
    guard depth > 0 else { return }
    for (number, guest) in guests.enumerated() {
      var (queue, status, order) = (queue, status, order)
      switch status[number] {
      case .outside:
        switch queue.arrive(guest) {
        case .goesOn:
          #expect(inside < queue.places && order.isEmpty, "no guest overtakes those who wait")
          status[number] = .inside
        case .waits:
          status[number] = .waiting
          order.append(number)
        case .isRefused:
          #expect(inside == queue.places && order.count == queue.queueLimit)
        }
      case .inside:
        let next = queue.leave()
        status[number] = .outside
        #expect((next == nil) == order.isEmpty)
        if let next, let first = order.first {
          #expect(next === guests[first], "who has waited longest is next")
          status[first] = .inside
          order.removeFirst()
        }
        let hadWaited = queue.withdraw(guest)
        #expect(!hadWaited)
      case .waiting:
        let (once, twice) = (queue.withdraw(guest), queue.withdraw(guest))
        #expect(once && !twice, "no guest gives up twice")
        status[number] = .outside
        order.removeAll { $0 == number }
      }
      explore(queue, guests, status, order, depth: depth - 1, &visits)
    }
  }

  @Test("is right after every sequence of five events of four requests", arguments: 1...3, 0...3)
  func exhaustive(places: Int, queueLimit: Int) {
    let guests = (0..<4).map { _ in Guest() }
    var visits = 0
    explore(
      PlaceQueue(places: places, queueLimit: queueLimit), guests, Array(repeating: .outside, count: 4), [], depth: 5,
      &visits)
    #expect(visits == (0...5).reduce(0) { sum, depth in sum + (0..<depth).reduce(1) { product, _ in product * 4 } })
  }

  /// Whose guest it is: the last one is another client's.
  private func client(_ number: Int) -> ClientKey { ClientKey(kind: 0, number: number == 3 ? 1 : 0) }

  /// As ``explore``, of guests that come from two clients, of which each may have `most` places.
  private func exploreShares(
    _ queue: PlaceQueue<Guest>, _ guests: [Guest], _ status: [Status], _ order: [Int], most: Int, depth: Int
  ) {
    func places(_ client: ClientKey, _ status: [Status]) -> Int {
      status.indices.count { status[$0] == .inside && self.client($0) == client }
    }
    let inside = status.count { $0 == .inside }
    func mayEnter(_ number: Int, _ status: [Status]) -> Bool {
      status.count { $0 == .inside } < queue.places && places(client(number), status) < most
    }
    func demand(_ number: Int) -> Int {
      status.indices.count { status[$0] != .outside && client($0) == client(number) }
    }
    #expect(queue.taken == inside && queue.waiting == order.count && order.count <= queue.queueLimit)
    for number in 0...3 { #expect(places(client(number), status) <= most) }
    #expect(!order.contains { mayEnter($0, status) }, "no guest waits that may have a place")
    guard depth > 0 else { return }
    for (number, guest) in guests.enumerated() {
      var (queue, status, order) = (queue, status, order)
      switch status[number] {
      case .outside:
        switch queue.arrive(guest, of: client(number)) {
        case .goesOn:
          #expect(mayEnter(number, status))
          status[number] = .inside
        case .waits(let displaced):
          #expect(!mayEnter(number, status))
          if let displaced {
            let other = guests.firstIndex { $0 === displaced }!
            #expect(order.count == queue.queueLimit && demand(other) > demand(number) + 1)
            #expect(order.last { client($0) == client(other) } == other, "the newest gives way")
            status[other] = .outside
            order.removeAll { $0 == other }
          }
          status[number] = .waiting
          order.append(number)
        case .isRefused:
          #expect(order.count == queue.queueLimit && !order.contains { demand($0) > demand(number) + 1 })
        }
      case .inside:
        let next = queue.leave(client(number))
        status[number] = .outside
        let expected = order.indices.filter { mayEnter(order[$0], status) }.min {
          (places(client(order[$0]), status), $0) < (places(client(order[$1]), status), $1)
        }
        #expect(expected.map { guests[order[$0]] } === next, "the client with fewest is next")
        if let expected, next != nil { status[order.remove(at: expected)] = .inside }
      case .waiting:
        let (once, twice) = (queue.withdraw(guest, of: client(number)), queue.withdraw(guest, of: client(number)))
        #expect(once && !twice)
        status[number] = .outside
        order.removeAll { $0 == number }
      }
      exploreShares(queue, guests, status, order, most: most, depth: depth - 1)
    }
  }

  @Test("with shares, is right after every sequence of six events of four requests", arguments: 1...3, 0...3)
  func shares(places: Int, queueLimit: Int) {
    let guests = (0..<4).map { _ in Guest() }
    for most in 1...places {
      exploreShares(
        PlaceQueue(places: places, queueLimit: queueLimit, most: most), guests, Array(repeating: .outside, count: 4),
        [],
        most: most, depth: 6)
    }
  }

  @Test("a request that only tries for a free place takes one, and never waits")
  func entering() {
    var queue = PlaceQueue<Guest>(places: 1, queueLimit: 1)
    let (first, second) = (queue.enter(), queue.enter())
    #expect(first && !second)
    #expect(queue.taken == 1 && queue.waiting == 0)
    let next = queue.leave()
    let third = queue.enter()
    #expect(next == nil && third)
  }
}

@Suite("The limit of requests at once") struct ConcurrencyLimitTests {
  private func limit(_ requests: Int, queue: Int) -> ConcurrencyLimit {
    var concurrency = Concurrency(requests: requests)
    concurrency.queue = queue
    return ConcurrencyLimit(concurrency)
  }

  @Test("a place given to a request that gives up at the same moment goes to the next one")
  func lostPlace() throws {
    let limit = limit(1, queue: 2)
    let running = try RunningLoop()
    let (first, second) = try running.run { [loop = running.loop] in
      (PlaceWaiter(loop: loop, wakeup: Wakeup(on: loop)), PlaceWaiter(loop: loop, wakeup: Wakeup(on: loop)))
    }
    #expect(limit.enter())
    for waiter in [first, second] {
      guard case .waits = limit.arrive(waiter) else { return #expect(Bool(false), "there is no place") }
    }
    #expect(limit.figures == (1, 2))
    limit.leave()
    #expect(limit.figures == (1, 1))
    // It has been given a place, but has not seen that.
    limit.withdraw(first)
    #expect(limit.figures == (1, 0))
    #expect(try running.run { second.isAdmitted })
    limit.leave()
    #expect(limit.figures == (0, 0))
  }

  @Test("a request that gives way to another client's is notified, and has no place to give back")
  func displacedPlace() throws {
    var concurrency = Concurrency(requests: 2)
    concurrency.queue = 1
    concurrency.clientShare = ClientShare(percent: 99)
    let limit = ConcurrencyLimit(concurrency)
    let (greedy, modest) = (ClientKey(kind: 0, number: 1), ClientKey(kind: 0, number: 2))
    let running = try RunningLoop()
    let waiters = try running.run { [loop = running.loop] in
      [greedy, modest].map { PlaceWaiter(client: $0, loop: loop, wakeup: Wakeup(on: loop)) }
    }
    #expect(limit.enter(greedy) && limit.enter(greedy))
    for waiter in waiters {
      guard case .waits = limit.arrive(waiter) else { return #expect(Bool(false), "it waits") }
    }
    #expect(limit.hasDisplaced(waiters[0]) && !limit.hasDisplaced(waiters[1]))
    limit.withdraw(waiters[0])
    #expect(limit.figures == (2, 1))
    limit.leave(greedy)
    #expect(limit.figures == (2, 0))
    limit.leave(greedy)
    limit.leave(modest)
    #expect(limit.figures == (0, 0))
  }

  @Test("tasks on several loops never go beyond it, whatever they do, and leave nothing taken")
  func manyLoops() throws {
    let limit = limit(3, queue: 5)
    let running = try (0..<3).map { _ in try RunningLoop() }
    let inside = Atomic<Int>(0)
    let most = Atomic<Int>(0)
    let served = Atomic<Int>(0)
    let done = Answer<Bool>()
    let missing = Atomic<Int>(30)
    for (number, running) in running.enumerated() {
      for task in 0..<10 {
        running.start { [loop = running.loop] in
          for round in 0..<200 {
            let wakeup = Wakeup(on: loop)
            var holds = limit.enter()
            if !holds {
              let waiter = PlaceWaiter(loop: loop, wakeup: wakeup)
              switch limit.arrive(waiter) {
              case .goesOn: holds = true
              case .isRefused: break
              case .waits where (round + task + number).isMultiple(of: 7):
                // This one leaves before its turn, or just as it comes.
                await loop.yield()
                limit.withdraw(waiter)
                waiter.forget()
              case .waits:
                while !waiter.isAdmitted { await wakeup.wait() }
                holds = true
              }
            }
            if holds {
              let now = inside.add(1, ordering: .sequentiallyConsistent).newValue
              most.max(now, ordering: .sequentiallyConsistent)
              served.add(1, ordering: .relaxed)
              await loop.yield()
              inside.subtract(1, ordering: .sequentiallyConsistent)
              limit.leave()
            } else {
              await loop.yield()
            }
          }
          if missing.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { done.give(true) }
        }
      }
    }
    #expect(try done.take())
    #expect(most.load(ordering: .sequentiallyConsistent) == 3)
    #expect(limit.figures == (0, 0))
    #expect(served.load(ordering: .relaxed) >= 30)
  }
}
