internal import Callers
internal import DequeModule
internal import Reactor

/// A number of places that clients share so that none of them can take all: a client gets another place only while more
/// are free than it has. A single client gets half of them, two get a third each, and some always stay free for the
/// next one.
///
/// Of the clients that wait, the one with the fewest places is next; among equals, the one that got its last place
/// longest ago. Within a client it is first come, first served. A value, without lock or clock.
struct FairPlaces<Client: Hashable, Waiter: AnyObject> {
  private struct Party {
    // How many clients had come before it.
    let arrival: UInt64
    var taken = 0
    // The number of the admission that gave it its last place.
    var lastAdmission: UInt64 = 0
    var waiters = Deque<Waiter>()

    /// The lowest one is next.
    var rank: (Int, UInt64, UInt64) { (taken, lastAdmission, arrival) }
  }

  /// How many places there are. If fewer than are taken, no place is free until enough have been left.
  var places: Int
  /// How many of them are taken.
  private(set) var taken = 0
  /// How many waiters there are.
  private(set) var waiting = 0

  // The clients that have a place, or wait.
  private var parties: [Client: Party] = [:]
  private var admissions: UInt64 = 0
  private var arrivals: UInt64 = 0

  init(places: Int) {
    self.places = places
  }

  /// Takes a place for `client`; false if it has to wait. Nothing overtakes a waiting client: one that waits for
  /// another place does not get it this way either.
  mutating func enter(_ client: Client) -> Bool {
    var party = known(client)
    guard mayEnter(party) else { return false }
    admit(&party)
    parties[client] = party
    return true
  }

  /// Appends `waiter` to those of `client`, which was just refused by ``enter(_:)``.
  mutating func wait(_ waiter: Waiter, for client: Client) {
    var party = known(client)
    party.waiters.append(waiter)
    parties[client] = party
    waiting += 1
  }

  /// `client` leaves a place. ``next()`` returns the waiter that gets one now.
  mutating func leave(_ client: Client) {
    guard var party = parties[client], party.taken > 0 else {
      preconditionFailure("a place is left that was not taken")
    }
    party.taken -= 1
    taken -= 1
    keep(party, of: client)
  }

  /// Takes a place for a waiter, and returns the waiter; nil if none may have one. Call until it returns nil, after
  /// each ``leave(_:)``.
  mutating func next() -> Waiter? {
    guard waiting > 0 else { return nil }
    // As many comparisons as there are clients that wait or have a place: far less work than what the places are for.
    let found = parties.lazy.filter { !$0.value.waiters.isEmpty }.min { $0.value.rank < $1.value.rank }
    guard let (client, party) = found, mayEnter(party) else { return nil }
    var next = party
    let waiter = next.waiters.removeFirst()
    waiting -= 1
    admit(&next)
    parties[client] = next
    return waiter
  }

  /// `waiter` of `client` stops waiting; false if it does not wait, because it has a place.
  mutating func withdraw(_ waiter: Waiter, of client: Client) -> Bool {
    guard var party = parties[client], let index = party.waiters.firstIndex(where: { $0 === waiter }) else {
      return false
    }
    party.waiters.remove(at: index)
    waiting -= 1
    keep(party, of: client)
    return true
  }

  private mutating func known(_ client: Client) -> Party {
    if let party = parties[client] { return party }
    arrivals += 1
    return Party(arrival: arrivals)
  }

  private func mayEnter(_ party: Party) -> Bool { party.taken < places - taken }

  private mutating func admit(_ party: inout Party) {
    admissions += 1
    party.lastAdmission = admissions
    party.taken += 1
    taken += 1
  }

  private mutating func keep(_ party: Party, of client: Client) {
    parties[client] = party.taken == 0 && party.waiters.isEmpty ? nil : party
  }
}

/// Limits how many connections of one loop do something at once; clients share the places as in ``FairPlaces``. Used on
/// the loop's thread only.
final class FairGate {
  private final class Waiter {
    let wakeup: Wakeup
    var isAdmitted = false

    init(_ wakeup: Wakeup) { self.wakeup = wakeup }
  }

  private var places: FairPlaces<ClientAddress, Waiter>

  init(places: Int) {
    self.places = FairPlaces(places: places)
  }

  /// How many places are taken.
  var taken: Int { places.taken }

  /// Changes the number of places.
  func change(places count: Int) {
    places.places = count
    admitNext()
  }

  /// Takes a place for `client`; false if it has to ``wait(for:at:while:)``.
  func enter(_ client: ClientAddress) -> Bool { places.enter(client) }

  /// Waits for a place for `client` at `wakeup`, as long as `isWanted` returns true; false if it returned false.
  func wait(for client: ClientAddress, at wakeup: Wakeup, while isWanted: () -> Bool) async -> Bool {
    let waiter = Waiter(wakeup)
    places.wait(waiter, for: client)
    while !waiter.isAdmitted {
      guard isWanted() else {
        _ = places.withdraw(waiter, of: client)
        return false
      }
      await wakeup.wait()
    }
    return true
  }

  /// `client` leaves its place to the next one.
  func leave(_ client: ClientAddress) {
    places.leave(client)
    admitNext()
  }

  private func admitNext() {
    while let next = places.next() {
      next.isAdmitted = true
      next.wakeup.wake()
    }
  }
}
