internal import Reactor

/// Lets the connections of one loop do something that only so many may do at once; clients share the places as ``FairPlaces``
/// says. Used on the loop's thread only.
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

  /// Takes a place for `client`; false where it has to ``wait(for:at:while:)``.
  func enter(_ client: ClientAddress) -> Bool { places.enter(client) }

  /// Waits for a place for `client` at `wakeup`, as long as `isWanted` says so; false where it says no.
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
    while let next = places.next() {
      next.isAdmitted = true
      next.wakeup.wake()
    }
  }
}
