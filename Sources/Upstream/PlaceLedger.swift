/// The places for connections to one upstream if all event loops share them, and which client is charged for each: a
/// value.
///
/// A place is taken while a connection is open or being made. The client that uses the connection is charged for it.
/// While no request waits, a kept connection stays charged to the client that used it last, and a loop uses it again
/// for that client without asking here: a client is charged for at least as many places as it uses. As soon as a
/// request waits, ``isShort`` is true: each loop then reports the connections that it keeps, and every change.
struct PlaceLedger<Waiter: AnyObject> {
  /// What a new request has to do.
  enum Arrival {
    /// It makes a connection.
    case goesOn
    /// It waits. If the queue was full, `displaced` is the request that lost its place in it. `asked` are the loops
    /// that have to report the connections that they keep: one of those may be for this request.
    case waits(displaced: Waiter?, asked: Asked)
    case isRefused
  }

  /// Which loops have to report the connections that they keep.
  enum Asked: Equatable, Sendable {
    case none
    case all
    case some([Int])
  }

  /// The result of asking to use a kept connection for another client.
  enum Change: Sendable {
    case isMade
    /// The client uses as many connections as it may.
    case isAtShare
    /// Requests wait: the loop has to report its kept connections first.
    case mustReport
  }

  /// How many connections may be open at the same time.
  let places: Int
  /// How many requests may wait.
  let queueLimit: Int
  /// Connections that are open or being made, kept ones included.
  private(set) var taken = 0
  /// Whether loops have to report the connections that they keep, and every change.
  private(set) var isShort: Bool
  /// The largest share of a client that any request had; a request with a smaller share asks before it uses a
  /// connection that other requests of its client were charged for.
  private(set) var largestShare = 0

  private var lines = ClientLines<Waiter>()
  private var charges: [ClientKey: Int] = [:]
  /// By loop: kept connections that were reported, for which no client is charged.
  private var spare: [Int: Int] = [:]
  private var spares = 0
  /// How many places in a row were given with preference for a request of the same loop.
  private var near = 0
  /// If the queue is shorter than the number of places, no request may be rejected only because a loop has not reported
  /// yet.
  private let isAlwaysShort: Bool

  // Moving a place to another loop costs closing one connection and making another. So, among clients that hold equally
  // few, the request of the same loop goes first, but not so often that others wait forever.
  private static var mostNear: Int { 8 }

  init(places: Int, queueLimit: Int) {
    self.places = places
    self.queueLimit = queueLimit
    isAlwaysShort = queueLimit < places
    isShort = isAlwaysShort
  }

  /// How many requests wait.
  var waiting: Int { lines.count }

  /// How many places `client` is charged for.
  func charge(of client: ClientKey) -> Int { charges[client] ?? 0 }

  /// A request of `client` arrives on `loop`, which has no connection that it can use.
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
    // A request for which some loop keeps a connection waits only briefly, and takes no room in the queue.
    if lines.count >= queueLimit + (mayHold ? spares : 0) {
      displaced = lines.displace(for: client, held: charges)
      if displaced == nil { return .isRefused }
    }
    lines.append(waiter, of: client, most: most, loop: loop)
    if !isShort { return .waits(displaced: displaced, asked: .all) }
    guard mayHold, !spare.isEmpty else { return .waits(displaced: displaced, asked: .none) }
    return .waits(displaced: displaced, asked: .some(Array(spare.keys)))
  }

  /// `client` is about to use a kept connection of `loop` that is charged to `holder`.
  mutating func use(keptFor holder: ClientKey, by client: ClientKey, most: Int, on loop: Int) -> Change {
    // Another client may wait for what this one would no longer be charged for.
    guard holder == .unused || lines.isEmpty else { return .mustReport }
    largestShare = max(largestShare, min(most, places))
    guard charge(of: client) - (holder == client ? 1 : 0) < most else { return .isAtShare }
    takeBack(from: holder, on: loop)
    add(1, to: client)
    return .isMade
  }

  /// A connection of `loop`, charged to `holder`, is not in use. Returns the waiter that gets its place; if nil, the
  /// loop keeps the connection, and no client is charged for it.
  mutating func report(keptFor holder: ClientKey, on loop: Int) -> Waiter? {
    defer { noteShortage() }
    takeBack(from: holder, on: loop)
    if let next = next(near: loop) { return next }
    spare[loop, default: 0] += 1
    spares += 1
    return nil
  }

  /// A connection of `loop`, charged to `holder`, is gone. Returns the waiter that gets its place; nil if none does.
  mutating func leave(_ holder: ClientKey, on loop: Int) -> Waiter? {
    defer { noteShortage() }
    takeBack(from: holder, on: loop)
    if let next = next(near: loop) { return next }
    taken -= 1
    return nil
  }

  /// A request stops waiting; false if it does not wait.
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

  /// Once short, it stays short while all places are taken: otherwise each waiting request would make all loops report
  /// again.
  private mutating func noteShortage() {
    isShort = isAlwaysShort || !lines.isEmpty || isShort && taken == places
  }
}

extension PlaceLedger.Arrival: Sendable where Waiter: Sendable {}
