/// The places for connections to one upstream where all event loops share them, and who is charged for each: a value.
///
/// A place is taken while a connection is open or being made. The client that uses the connection is charged for it. While no
/// request waits, a connection that is kept stays charged to the client that used it last, and a loop uses it again for that
/// client without asking here: so a client is charged for at least as many places as it uses. As soon as a request waits,
/// ``isShort`` is true: each loop then reports what it keeps, and everything that changes.
struct PlaceLedger<Waiter: AnyObject> {
  /// What a new request has to do.
  enum Arrival {
    /// It makes a connection.
    case goesOn
    /// It waits. Where the queue was full, another request gave way to it. `asked` are the loops that have to report what they
    /// keep: one of those connections may be for it.
    case waits(displaced: Waiter?, asked: Asked)
    case isRefused
  }

  /// Which loops have to report what they keep.
  enum Asked: Equatable, Sendable {
    case none
    case all
    case some([Int])
  }

  /// What comes of the wish to use a kept connection for another client.
  enum Change: Sendable {
    case isMade
    /// The client uses as many as it may.
    case isAtShare
    /// Requests wait: the loop has to report what it keeps first.
    case mustReport
  }

  /// How many connections may be open at the same time.
  let places: Int
  /// How many requests may wait.
  let queueLimit: Int
  /// Connections that are open or being made, kept ones included.
  private(set) var taken = 0
  /// Whether loops have to report what they keep, and everything that changes.
  private(set) var isShort: Bool
  /// The largest share of a client that any request had; one with a smaller share asks before it uses what its client was
  /// charged for by others.
  private(set) var largestShare = 0

  private var lines = ClientLines<Waiter>()
  private var charges: [ClientKey: Int] = [:]
  /// By loop: kept connections that were reported, for which no client is charged.
  private var spare: [Int: Int] = [:]
  private var spares = 0
  /// How many places in a row went to a request of the same loop where there was one.
  private var near = 0
  /// Where fewer requests may wait than there are places, none may be rejected because a loop has not reported yet.
  private let isAlwaysShort: Bool

  // To move a place to another loop is to close one connection and make another. So, among clients that hold equally few, the
  // request of the same loop goes first, but not so often that others wait for good.
  private static var mostNear: Int { 8 }

  init(places: Int, queueLimit: Int) {
    self.places = places
    self.queueLimit = queueLimit
    isAlwaysShort = queueLimit < places
    isShort = isAlwaysShort
  }

  /// How many wait.
  var waiting: Int { lines.count }

  /// For how many places `client` is charged.
  func charge(of client: ClientKey) -> Int { charges[client] ?? 0 }

  /// A request of `client` on `loop` comes that has no connection there that it can use.
  mutating func arrive(_ waiter: Waiter, of client: ClientKey, most: Int, on loop: Int) -> Arrival {
    defer { noteShortage() }
    largestShare = max(largestShare, min(most, places))
    let mayHold = charge(of: client) < most
    if taken < places, mayHold {
      taken += 1
      add(1, to: client)
      return .goesOn
    }
    var displaced: Waiter?
    // A request for which a connection is kept somewhere waits for a moment only, and takes no room in the queue.
    if lines.count >= queueLimit + (mayHold ? spares : 0) {
      displaced = lines.displace(for: client, held: charges)
      if displaced == nil { return .isRefused }
    }
    lines.append(waiter, of: client, most: most, loop: loop)
    if !isShort { return .waits(displaced: displaced, asked: .all) }
    guard mayHold, !spare.isEmpty else { return .waits(displaced: displaced, asked: .none) }
    return .waits(displaced: displaced, asked: .some(Array(spare.keys)))
  }

  /// A kept connection of `loop`, charged to `holder`, is about to be used by `client`.
  mutating func use(keptFor holder: ClientKey, by client: ClientKey, most: Int, on loop: Int) -> Change {
    // What one client is charged less for, another may be waiting for.
    guard holder == .unused || lines.isEmpty else { return .mustReport }
    largestShare = max(largestShare, min(most, places))
    guard charge(of: client) - (holder == client ? 1 : 0) < most else { return .isAtShare }
    takeBack(from: holder, on: loop)
    add(1, to: client)
    return .isMade
  }

  /// A connection of `loop`, charged to `holder`, is not in use: the waiter that gets its place; nil where none does. It is
  /// kept then, and no client is charged for it.
  mutating func report(keptFor holder: ClientKey, on loop: Int) -> Waiter? {
    defer { noteShortage() }
    takeBack(from: holder, on: loop)
    if let next = next(near: loop) { return next }
    spare[loop, default: 0] += 1
    spares += 1
    return nil
  }

  /// A connection of `loop`, charged to `holder`, is no more: the waiter that gets its place; nil where none does.
  mutating func leave(_ holder: ClientKey, on loop: Int) -> Waiter? {
    defer { noteShortage() }
    takeBack(from: holder, on: loop)
    if let next = next(near: loop) { return next }
    taken -= 1
    return nil
  }

  /// A request gives up waiting; false where it does not wait.
  mutating func withdraw(_ waiter: Waiter, of client: ClientKey, most: Int, on loop: Int) -> Bool {
    defer { noteShortage() }
    return lines.remove(waiter, of: client, most: most, loop: loop)
  }

  private mutating func next(near loop: Int) -> Waiter? {
    guard !lines.isEmpty else { return nil }
    let isPatient = near < Self.mostNear
    guard let next = lines.next(held: charges, near: isPatient ? loop : nil) else { return nil }
    near = isPatient ? near + 1 : 0
    add(1, to: next.client)
    return next.waiter
  }

  private mutating func takeBack(from holder: ClientKey, on loop: Int) {
    guard holder == .unused else { return add(-1, to: holder) }
    let rest = spare[loop]! - 1
    spare[loop] = rest == 0 ? nil : rest
    spares -= 1
  }

  private mutating func add(_ count: Int, to client: ClientKey) {
    let charge = charge(of: client) + count
    charges[client] = charge == 0 ? nil : charge
  }

  /// Once short, it stays so while all places are taken: otherwise each request that waits would have all loops report again.
  private mutating func noteShortage() {
    isShort = isAlwaysShort || !lines.isEmpty || isShort && taken == places
  }
}

extension PlaceLedger.Arrival: Sendable where Waiter: Sendable {}
