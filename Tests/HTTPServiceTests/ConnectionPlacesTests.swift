import Reactor
import Testing

@testable import HTTPService

@Suite("Places of a service")
struct ConnectionPlacesTests {
  private final class Connection: PlaceHolder {
    let isLocal: Bool
    var activity: Activity
    init(_ activity: Activity, isLocal: Bool = false) {
      self.activity = activity
      self.isLocal = isLocal
    }
  }

  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000_000 + UInt64(seconds * 1e9)) }

  private func places(_ limit: Int, reserved: Int = 0, _ connections: [Connection]) -> ConnectionPlaces<Connection> {
    var places = ConnectionPlaces<Connection>(limit: limit, reserved: reserved)
    for connection in connections { places.add(connection) }
    return places
  }

  /// The connection that gives way; nil where none does.
  private func loser(_ place: ConnectionPlaces<Connection>.Place) -> Connection? {
    if case .of(let connection) = place { connection } else { nil }
  }

  private func isFree(_ place: ConnectionPlaces<Connection>.Place) -> Bool {
    if case .free = place { true } else { false }
  }

  @Test("are taken over from the connection that has been idle longest")
  func longestIdle() {
    let connections = [3.0, 1, 2].map { Connection(.idle(since: at($0))) }
    var places = places(3, connections)
    #expect(loser(places.place(forLocal: false, at: at(4))) === connections[1])
    places.remove(connections[1])
    places.remove(connections[1])
    #expect(isFree(places.place(forLocal: false, at: at(4))))
  }

  @Test("are not taken from connections at work")
  func working() {
    let places = places(2, [Connection(.working), Connection(.working)])
    guard case .none = places.place(forLocal: true, at: at(9)) else {
      Issue.record("a place was given away")
      return
    }
    #expect(!places.hasPlace)
  }

  @Test(
    "are taken from a transfer that keeps its pace only where there is nothing else, and after 5 s as from any other")
  func transfers() {
    let transfer = Connection(.transferring(begun: at(0), moved: at(2)))
    let idle = Connection(.idle(since: at(2.5)))
    let places = places(2, [transfer, idle])
    #expect(loser(places.place(forLocal: false, at: at(2.9))) === idle)
    #expect(loser(places.place(forLocal: false, at: at(3))) === transfer)
    transfer.activity = .transferring(begun: at(0), moved: at(4.5))
    idle.activity = .idle(since: at(4.8))
    #expect(loser(places.place(forLocal: false, at: at(4.9))) === idle)
    #expect(loser(places.place(forLocal: false, at: at(5))) === transfer)
    idle.activity = .working
    #expect(loser(places.place(forLocal: false, at: at(4.9))) === transfer)
  }

  @Test("are taken from the transfer that has paused longest where all places are taken by transfers")
  func slowReaders() {
    let readers = [2.8, 2.7, 2.9].map { Connection(.transferring(begun: at(1), moved: at($0))) }
    #expect(loser(places(3, readers).place(forLocal: true, at: at(3))) === readers[1])
  }

  @Test("rank a transfer by the last byte that moved")
  func mixed() {
    let stalled = Connection(.transferring(begun: at(0), moved: at(1)))
    let idle = Connection(.idle(since: at(2)))
    #expect(loser(places(2, [idle, stalled]).place(forLocal: false, at: at(3))) === stalled)
  }

  @Test("are reserved for this machine: clients elsewhere push out one another alone")
  func reserved() {
    let local = Connection(.idle(since: at(0)), isLocal: true)
    let remote = [1.0, 2].map { Connection(.idle(since: at($0))) }
    let places = places(4, reserved: 2, remote + [local])
    #expect(loser(places.place(forLocal: false, at: at(3))) === remote[0])
    #expect(isFree(places.place(forLocal: true, at: at(3))))
    for connection in remote { connection.activity = .working }
    // None for a client elsewhere, yet the service must go on accepting: the next one may be of this machine.
    guard case .none = places.place(forLocal: false, at: at(3)) else {
      Issue.record("a reserved place was given away")
      return
    }
    #expect(places.hasPlace)
  }

  @Test("can be taken from connections elsewhere by one of this machine, and back beyond the reserved ones")
  func bothWays() {
    let remote = Connection(.idle(since: at(1)))
    let local = [2.0, 3].map { Connection(.idle(since: at($0)), isLocal: true) }
    #expect(loser(places(3, reserved: 1, [remote] + local).place(forLocal: true, at: at(4))) === remote)
    remote.activity = .working
    #expect(loser(places(3, reserved: 1, [remote] + local).place(forLocal: false, at: at(4))) === local[0])
  }
}
