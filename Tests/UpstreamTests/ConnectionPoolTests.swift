import Reactor
import Testing

@testable import Upstream

@Suite struct ConnectionPoolTests {
  private final class Item {}

  private var pool = ConnectionPool<Item, Item>(limit: 2, queueLimit: 2)
  private let start = Instant(nanoseconds: 1_000)

  private func expect(
    _ handover: ConnectionPool<Item, Item>.Handover, gives waiter: Item?,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    switch handover {
    case .give(let given): #expect(given === waiter, sourceLocation: sourceLocation)
    case .none: #expect(waiter == nil, sourceLocation: sourceLocation)
    }
  }

  @Test("the connection used last is used next")
  mutating func lastInFirstOut() {
    let (one, two) = (Item(), Item())
    for connection in [one, two] {
      let lease = pool.lease(for: Item())
      #expect(lease == .dial)
      expect(pool.release(connection, at: start), gives: nil)
    }
    let taken = (0..<3).map { _ in pool.takeIdle()?.connection }
    #expect(taken[0] === two && taken[1] === one && taken[2] == nil)
    #expect(pool.open == 2)
  }

  @Test("up to the limit connections are made, then requests wait, then they are refused")
  mutating func limits() {
    let outcomes = (0..<5).map { _ in pool.lease(for: Item()) }
    #expect(outcomes == [.dial, .dial, .wait, .wait, .refuse])
    #expect(pool.open == 2)
    #expect(pool.waiters.count == 2)
  }

  @Test("a connection that is free goes to the one that has waited longest")
  mutating func handOver() {
    let (first, second) = (Item(), Item())
    for waiter in [Item(), Item(), first, second] { _ = pool.lease(for: waiter) }
    expect(pool.release(Item(), at: start), gives: first)
    expect(pool.release(Item(), at: start), gives: second)
    expect(pool.release(Item(), at: start), gives: nil)
    #expect(pool.idle.count == 1)
    #expect(pool.open == 2)
  }

  @Test("the room of a lost connection goes to whoever waits, and is free otherwise")
  mutating func loss() {
    let waiter = Item()
    for item in [Item(), Item(), waiter] { _ = pool.lease(for: item) }
    expect(pool.lost(), gives: waiter)
    #expect(pool.open == 2)
    expect(pool.lost(), gives: nil)
    #expect(pool.open == 1)
    let lease = pool.lease(for: Item())
    #expect(lease == .dial)
  }

  @Test("who gives up waiting is given nothing")
  mutating func givingUp() {
    let (gone, waiter) = (Item(), Item())
    for item in [Item(), Item(), gone, waiter] { _ = pool.lease(for: item) }
    pool.removeWaiter(gone)
    expect(pool.lost(), gives: waiter)
  }

  @Test("connections that were idle too long are taken out, the younger ones stay")
  mutating func expiry() {
    var pool = ConnectionPool<Item, Item>(limit: 3, queueLimit: 0)
    let connections = (0..<3).map { _ in Item() }
    for (age, connection) in connections.enumerated() {
      _ = pool.lease(for: Item())
      _ = pool.release(connection, at: start + .nanoseconds(age * 10))
    }
    let expired = pool.expire(idleSince: start + .nanoseconds(9))
    #expect(expired.map(ObjectIdentifier.init) == [ObjectIdentifier(connections[0])])
    #expect(pool.open == 2)
    let rest = pool.expire(idleSince: .never)
    #expect(rest.count == 2)
    #expect(pool.open == 0)
  }

  @Test("an idle connection that closed is taken out once, one in use is not")
  mutating func removal() {
    let connection = Item()
    _ = pool.lease(for: Item())
    var removals = [pool.removeIdle(connection)]
    _ = pool.release(connection, at: start)
    for _ in 0..<2 { removals.append(pool.removeIdle(connection)) }
    #expect(removals == [false, true, false])
    #expect(pool.open == 0)
  }
}
