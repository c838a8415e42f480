internal import Upstream

/// A number of places, who waits for one, and who is next. A value, without lock or clock.
///
/// Where clients are told apart, one may take a part of the places only, and the next free one goes to the client that has
/// fewest; otherwise it goes to whoever has waited longest.
struct PlaceQueue<Waiter: AnyObject> {
  /// What whoever comes has to do.
  enum Arrival {
    case goesOn
    /// It waits. Where as many waited as may, another one gave way to it, and waits no more.
    case waits(displaced: Waiter?)
    case isRefused
  }

  /// How many can go on at once.
  let places: Int
  /// How many can wait.
  let queueLimit: Int
  /// How many places one client may take; nil where clients are not told apart.
  let most: Int?
  /// Places that are taken; all of them while anybody waits whose client may have another one.
  private(set) var taken = 0

  private var lines = ClientLines<Waiter>()
  /// Empty where clients are not told apart.
  private var held: [ClientKey: Int] = [:]

  init(places: Int, queueLimit: Int, most: Int? = nil) {
    self.places = places
    self.queueLimit = queueLimit
    self.most = most
  }

  /// How many wait.
  var waiting: Int { lines.count }

  /// A request of `client` comes, and takes a place if it may have one.
  mutating func enter(_ client: ClientKey = .anyone) -> Bool {
    guard taken < places, mayTake(client) else { return false }
    taken += 1
    note(client, 1)
    return true
  }

  /// Whether `client` may have another place, if one is free.
  private func mayTake(_ client: ClientKey) -> Bool {
    guard let most else { return true }
    return (held[client] ?? 0) < most
  }

  /// Whether `client` has as many places as it may, and these are not all.
  func isAtShare(_ client: ClientKey) -> Bool { (most ?? .max) < places && !mayTake(client) }

  /// A request of `client` comes that will wait if there is no place.
  mutating func arrive(_ waiter: Waiter, of client: ClientKey = .anyone) -> Arrival {
    if enter(client) { return .goesOn }
    var displaced: Waiter?
    if lines.count >= queueLimit {
      displaced = lines.displace(for: line(client), held: held)
      if displaced == nil { return .isRefused }
    }
    lines.append(waiter, of: line(client), most: most ?? .max)
    return .waits(displaced: displaced)
  }

  /// A request of `client` leaves its place: it goes to the waiter that is returned, or is free again.
  mutating func leave(_ client: ClientKey = .anyone) -> Waiter? {
    precondition(taken > 0, "nobody leaves a place that nobody has")
    note(client, -1)
    if let next = lines.next(held: held) {
      note(next.client, 1)
      return next.waiter
    }
    taken -= 1
    return nil
  }

  /// A request of `client` gives up waiting; false where it does not wait, since it was given a place meanwhile.
  mutating func withdraw(_ waiter: Waiter, of client: ClientKey = .anyone) -> Bool {
    lines.remove(waiter, of: line(client), most: most ?? .max)
  }

  private func line(_ client: ClientKey) -> ClientKey { most == nil ? .anyone : client }

  private mutating func note(_ client: ClientKey, _ change: Int) {
    guard most != nil else { return }
    let count = (held[client] ?? 0) + change
    held[client] = count == 0 ? nil : count
  }
}
