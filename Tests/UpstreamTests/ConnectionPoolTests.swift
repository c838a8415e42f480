import Reactor
import SeededRandom
import Testing

@testable import Upstream

@Suite struct ConnectionPoolTests {
  private final class Item {}

  private var pool = ConnectionPool<Item, Item>(limit: 2, queueLimit: 2)
  private let start = Instant(nanoseconds: 1_000)

  /// Requests a connection; the place of the one that is to be made.
  private mutating func dial(
    _ waiter: Item = Item(), of client: ClientKey = .anyone, most: Int = .max,
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> Int {
    if case .dial(let place) = pool.lease(for: waiter, of: client, most: most) { return place }
    #expect(Bool(false), "no connection is made", sourceLocation: sourceLocation)
    return -1
  }

  /// Requests a connection where none is free: whether it waits.
  private mutating func waits(_ waiter: Item = Item(), of client: ClientKey = .anyone, most: Int = .max) -> Bool {
    if case .wait(nil) = pool.lease(for: waiter, of: client, most: most) { true } else { false }
  }

  private func expect(
    _ room: ConnectionPool<Item, Item>.Room, isFor waiter: Item?, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    switch room {
    case .dial(let given, _): #expect(given === waiter, sourceLocation: sourceLocation)
    case .use: #expect(Bool(false), "nothing is idle", sourceLocation: sourceLocation)
    case .none: #expect(waiter == nil, sourceLocation: sourceLocation)
    }
  }

  @Test("the connection used last is used next")
  mutating func lastInFirstOut() {
    let (one, two) = (Item(), Item())
    for connection in [one, two] {
      let given = pool.release(connection, place: dial(), at: start, until: .never)
      #expect(given == nil)
      _ = pool.takeIdle(for: .anyone, most: .max)
    }
    _ = pool.release(one, place: 0, at: start, until: .never)
    _ = pool.release(two, place: 1, at: start, until: .never)
    let taken = (0..<3).map { _ in pool.takeIdle(for: .anyone, most: .max)?.connection }
    #expect(taken[0] === two && taken[1] === one && taken[2] == nil)
    #expect(pool.open == 2)
  }

  @Test("up to the limit connections are made, then requests wait, then they are refused")
  mutating func limits() {
    #expect([dial(), dial()] == [0, 1])
    let waiting = [waits(), waits(), waits()]
    #expect(waiting == [true, true, false])
    #expect(pool.open == 2)
    #expect(pool.waiting == 2)
  }

  @Test("a connection that is free goes to the one that has waited longest")
  mutating func handOver() {
    let (first, second) = (Item(), Item())
    let places = [dial(), dial()]
    for waiter in [first, second] { _ = waits(waiter) }
    let given = [0, 1, 0].map { pool.release(Item(), place: places[$0], at: start, until: .never) }
    #expect(given[0] === first && given[1] === second && given[2] == nil)
    #expect(pool.idle.count == 1)
    #expect(pool.open == 2)
  }

  @Test("the room of a lost connection goes to a waiting request, and is free otherwise")
  mutating func loss() {
    let waiter = Item()
    let places = [dial(), dial()]
    _ = waits(waiter)
    expect(pool.lost(place: places[0]), isFor: waiter)
    #expect(pool.open == 2)
    expect(pool.lost(place: places[1]), isFor: nil)
    #expect(pool.open == 1)
    #expect(dial() == places[1])
  }

  @Test("a request that gives up waiting gets no connection")
  mutating func givingUp() {
    let (gone, waiter) = (Item(), Item())
    let places = [dial(), dial()]
    for item in [gone, waiter] { _ = waits(item) }
    pool.removeWaiter(gone, of: .anyone, most: .max)
    expect(pool.lost(place: places[0]), isFor: waiter)
  }

  @Test("connections that were idle too long are taken out, the younger ones stay")
  mutating func expiry() {
    pool = ConnectionPool<Item, Item>(limit: 3, queueLimit: 0)
    let connections = (0..<3).map { _ in Item() }
    let places = [dial(), dial(), dial()]
    for (age, connection) in connections.enumerated() {
      _ = pool.release(connection, place: places[age], at: start, until: start + .nanoseconds(age * 10))
    }
    let expired = pool.expire(at: start + .nanoseconds(9))
    #expect(expired.map(ObjectIdentifier.init) == [ObjectIdentifier(connections[0])])
    #expect(pool.open == 2)
    let rest = pool.expire(at: .never)
    #expect(rest.count == 2)
    #expect(pool.open == 0)
  }

  @Test("an idle connection that closed is taken out once, one in use is not")
  mutating func removal() {
    let connection = Item()
    let place = dial()
    var removals = [pool.removeIdle(connection)]
    _ = pool.release(connection, place: place, at: start, until: .never)
    for _ in 0..<2 { removals.append(pool.removeIdle(connection)) }
    #expect(removals == [false, true, false])
    #expect(pool.open == 0)
  }

  // MARK: Clients

  private let greedy = ClientKey(kind: 0, number: 1)
  private let modest = ClientKey(kind: 0, number: 2)
  private let third = ClientKey(kind: 1, number: 1)

  @Test("a client that uses as many as it may waits although connections are free, others do not")
  mutating func share() {
    pool = ConnectionPool(limit: 4, queueLimit: 4)
    let connection = Item()
    let place = dial(of: modest, most: 3)
    _ = pool.release(connection, place: place, at: start, until: .never)
    let waiter = Item()
    let places = (0..<3).map { _ in dial(of: greedy, most: 3) }
    #expect(waits(waiter, of: greedy, most: 3))
    #expect(pool.takeIdle(for: greedy, most: 3) == nil)
    let taken = pool.takeIdle(for: modest, most: 3)
    #expect(taken?.connection === connection)
    _ = pool.release(connection, place: place, at: start, until: .never)
    #expect(pool.idle.count == 1 && pool.waiting == 1)
    // Its own connection is gone: there is an idle one.
    guard case .use(let idle, let given) = pool.lost(place: places[0]) else { return #expect(Bool(false), "it waits") }
    #expect(idle.connection === connection && given === waiter)
    #expect(pool.open == 3 && pool.idle.isEmpty && pool.waiting == 0)
  }

  @Test("the next free connection goes to the client that uses fewest, among equals to the one that has waited longest")
  mutating func fewestFirst() {
    pool = ConnectionPool(limit: 4, queueLimit: 10)
    let places = [greedy, greedy, greedy, modest].map { dial(of: $0, most: 3) }
    let waiters = (0..<5).map { _ in Item() }
    for (waiter, client) in zip(waiters, [greedy, modest, third, third, modest]) {
      _ = waits(waiter, of: client, most: 3)
    }
    let given = [0, 1, 2, 3, 0].map { pool.release(Item(), place: places[$0], at: start, until: .never) }
    let numbers = given.map { given in waiters.firstIndex { $0 === given } }
    // third uses none; then all of them use one, and so on.
    #expect(numbers == [2, 0, 1, 3, 4])
  }

  @Test("routes may set different shares: a request with a larger share does not wait behind one with a smaller share")
  mutating func differentShares() {
    pool = ConnectionPool(limit: 8, queueLimit: 10)
    let places = [dial(of: greedy, most: 2), dial(of: greedy, most: 2)]
    #expect(waits(of: greedy, most: 2))
    let third = dial(of: greedy, most: 4)
    #expect(dial(of: greedy, most: 4) >= 0)
    let waiter = Item()
    #expect(waits(waiter, of: greedy, most: 4))
    expect(pool.lost(place: third), isFor: waiter)
    expect(pool.lost(place: places[0]), isFor: nil)
    #expect(pool.waiting == 1)
  }

  @Test(
    "in a full queue the newest request of the client with the most gives way to a client with fewer, and to no other")
  mutating func displacement() {
    pool = ConnectionPool(limit: 2, queueLimit: 2)
    let places = [dial(of: greedy), dial(of: greedy)]
    let waiters = (0..<4).map { _ in Item() }
    #expect(waits(waiters[0], of: greedy) && waits(waiters[1], of: greedy))
    guard case .refuse = pool.lease(for: Item(), of: greedy, most: .max) else {
      return #expect(Bool(false), "the queue is full")
    }
    guard case .wait(let displaced) = pool.lease(for: waiters[2], of: modest, most: .max) else {
      return #expect(Bool(false), "another gives way")
    }
    #expect(displaced === waiters[1])
    guard case .wait(let next) = pool.lease(for: waiters[3], of: modest, most: .max) else {
      return #expect(Bool(false), "another gives way")
    }
    #expect(next === waiters[0])
    guard case .refuse = pool.lease(for: Item(), of: modest, most: .max),
      case .refuse = pool.lease(for: Item(), of: greedy, most: .max)
    else { return #expect(Bool(false), "no connection gives way") }
    #expect(pool.release(Item(), place: places[0], at: start, until: .never) === waiters[2])
  }

  @Test("where only a new connection will do, a kept one makes room at the limit, and stays below it")
  mutating func onlyNew() {
    pool = ConnectionPool(limit: 3, queueLimit: 4)
    let (own, other) = (Item(), Item())
    let places = [dial(of: greedy, most: 1), dial(of: modest)]
    #expect(pool.retireIdle(for: modest, most: .max) == nil)
    // It waits for its client's share, not for the limit: the connection that its client gives back remains.
    let waiter = Item()
    #expect(waits(waiter, of: greedy, most: 1))
    #expect(pool.release(own, place: places[0], at: start, until: .never) === waiter)
    let kept = ConnectionPool<Item, Item>.Idle(connection: own, place: places[0], since: start, until: .never)
    let made = pool.keep(kept, givingNewTo: greedy)
    #expect(made.place == 2 && made.retired == nil && pool.open == 3)
    #expect(pool.uses == [greedy: 1, modest: 1])
    // At the limit the one that was idle for longest goes.
    let later = ConnectionPool<Item, Item>.Idle(connection: other, place: places[1], since: start, until: .never)
    let next = pool.keep(later, givingNewTo: modest)
    #expect(next.place == places[0] && next.retired === own && pool.open == 3)
    #expect(pool.idle.map { ObjectIdentifier($0.connection) } == [ObjectIdentifier(other)])
    #expect(pool.retireIdle(for: greedy, most: 1) == nil)
    #expect(pool.retireIdle(for: modest, most: .max)?.connection === other)
    #expect(pool.uses == [greedy: 1, modest: 2] && pool.idle.isEmpty && pool.open == 3)
  }

  /// What a random schedule has made of a pool, kept in the simplest way.
  private struct Model {
    var used: [(place: Int, client: ClientKey)] = []
    var idle: [Item] = []
    var waiting: [(waiter: Item, client: ClientKey, most: Int)] = []

    func uses(_ client: ClientKey) -> Int { used.count { $0.client == client } }
    func demand(_ client: ClientKey) -> Int { uses(client) + waiting.count { $0.client == client } }

    /// Who is next: the rule, word for word.
    var next: Int? {
      let eligible = waiting.indices.filter { uses(waiting[$0].client) < waiting[$0].most }
      return eligible.min { (uses(waiting[$0].client), $0) < (uses(waiting[$1].client), $1) }
    }

    mutating func isGiven(_ waiter: Item?, place: Int) {
      let expected = next
      #expect(expected.map { waiting[$0].waiter } === waiter, "fewest first, then first come")
      guard let expected, waiter != nil else { return }
      used.append((place, waiting.remove(at: expected).client))
    }
  }

  @Test(
    "whatever happens, no client is above its share, no place is lost or left idle, and fewest come first",
    arguments: 0..<60)
  mutating func schedules(seed: UInt64) {
    var random = SplitMix(state: seed)
    let limit = Int.random(in: 1...12, using: &random)
    let queueLimit = Int.random(in: 0...8, using: &random)
    let clients = (0..<Int.random(in: 1...5, using: &random)).map { ClientKey(kind: Int32($0 % 2), number: UInt64($0)) }
    let shares = (0..<2).map { _ in Int.random(in: 1...limit, using: &random) }
    pool = ConnectionPool(limit: limit, queueLimit: queueLimit)
    var model = Model()
    for _ in 0..<600 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let client = clients.randomElement(using: &random)!
        let most = shares.randomElement(using: &random)!
        let mayUse = model.uses(client) < most
        if let idle = pool.takeIdle(for: client, most: most) {
          #expect(mayUse && idle.connection === model.idle.popLast())
          model.used.append((idle.place, client))
          break
        }
        #expect(!mayUse || model.idle.isEmpty)
        let waiter = Item()
        switch pool.lease(for: waiter, of: client, most: most) {
        case .dial(let place):
          #expect(mayUse && model.used.count + model.idle.count < limit)
          #expect(!model.used.contains { $0.place == place })
          model.used.append((place, client))
        case .wait(let displaced):
          #expect(!mayUse || model.used.count == limit)
          #expect((displaced != nil) == (model.waiting.count == queueLimit))
          if let displaced {
            let most = model.waiting.map { model.demand($0.client) }.max()!
            let index = model.waiting.lastIndex { model.demand($0.client) == most }!
            #expect(model.waiting[index].waiter === displaced && most > model.demand(client) + 1)
            model.waiting.remove(at: index)
          }
          model.waiting.append((waiter, client, most))
        case .refuse:
          #expect(model.waiting.count == queueLimit)
          #expect(model.waiting.allSatisfy { model.demand($0.client) <= model.demand(client) + 1 })
        }
      case 5..<7 where !model.used.isEmpty:
        let place = model.used.remove(at: model.used.indices.randomElement(using: &random)!).place
        let connection = Item()
        let given = pool.release(connection, place: place, at: start, until: .never)
        if given == nil { model.idle.append(connection) }
        model.isGiven(given, place: place)
      case 7 where !model.used.isEmpty:
        let place = model.used.remove(at: model.used.indices.randomElement(using: &random)!).place
        switch pool.lost(place: place) {
        case .dial(let waiter, let given):
          #expect(given == place && model.idle.isEmpty)
          model.isGiven(waiter, place: place)
        case .use(let idle, let waiter):
          #expect(idle.connection === model.idle.popLast())
          model.isGiven(waiter, place: idle.place)
        case .none: model.isGiven(nil, place: place)
        }
      case 8 where !model.waiting.isEmpty:
        let gone = model.waiting.remove(at: model.waiting.indices.randomElement(using: &random)!)
        pool.removeWaiter(gone.waiter, of: gone.client, most: gone.most)
      case 9 where !model.idle.isEmpty:
        let wasIdle = pool.removeIdle(model.idle.remove(at: model.idle.indices.randomElement(using: &random)!))
        #expect(wasIdle)
      default: break
      }
      #expect(pool.open == model.used.count + model.idle.count && pool.open <= limit)
      #expect(pool.idle.count == model.idle.count && pool.waiting == model.waiting.count)
      for client in clients { #expect(model.uses(client) <= shares.max()!) }
      if model.used.count < limit { #expect(model.next == nil, "who may have a connection does not wait for one") }
      if Bool.random(using: &random) {
        #expect(pool.uses == Dictionary(grouping: model.used, by: \.client).mapValues(\.count))
      }
    }
  }
}
