internal import DequeModule

/// A number of places, who waits for one, and who is next: first come, first served. A value, without lock or clock.
struct PlaceQueue<Waiter: AnyObject> {
  /// What whoever comes has to do.
  enum Arrival {
    case goesOn
    case waits
    case isRefused
  }

  /// How many can go on at once.
  let places: Int
  /// How many can wait.
  let queueLimit: Int
  /// Places that are taken; all of them while anybody waits.
  private(set) var taken = 0

  private var queue = Deque<Waiter>()

  init(places: Int, queueLimit: Int) {
    self.places = places
    self.queueLimit = queueLimit
  }

  /// How many wait.
  var waiting: Int { queue.count }

  /// Somebody comes, and takes a place if one is free.
  mutating func enter() -> Bool {
    guard taken < places else { return false }
    taken += 1
    return true
  }

  /// Somebody comes who will wait if there is no place.
  mutating func arrive(_ waiter: Waiter) -> Arrival {
    if enter() { return .goesOn }
    guard queue.count < queueLimit else { return .isRefused }
    queue.append(waiter)
    return .waits
  }

  /// Somebody leaves a place: it goes to whoever is returned, who has waited longest, or is free again.
  mutating func leave() -> Waiter? {
    precondition(taken > 0, "nobody leaves a place that nobody has")
    if let next = queue.popFirst() { return next }
    taken -= 1
    return nil
  }

  /// Somebody gives up waiting; false where that one does not wait, since it was given a place meanwhile.
  mutating func withdraw(_ waiter: Waiter) -> Bool {
    guard let index = queue.firstIndex(where: { $0 === waiter }) else { return false }
    queue.remove(at: index)
    return true
  }
}
