internal import Reactor

/// What a connection does at the moment, as far as it decides who gives way when all places are taken.
enum Activity {
  /// A request is answered, or the connection is new and its socket has not been read yet.
  case working
  /// No whole head of a request has arrived. The first byte of a head counts as a beginning, the bytes after it do not.
  case idle(since: Instant)
  /// Content or a response is in transit, or about to be. `moved` is when the peer last sent or took any of it.
  case transferring(begun: Instant, moved: Instant)

  // A crowd that says nothing must not cut off a transfer that keeps its pace; a crowd of transfers is another matter.
  private static let longestPause = Duration.seconds(1)
  private static let protectedTransfer = Duration.seconds(5)

  /// When the peer last did something; nil where the connection may not be closed for another one.
  var quietSince: Instant? {
    switch self {
    case .working: nil
    case .idle(let since): since
    case .transferring(_, let moved): moved
    }
  }

  /// Whether it gives way only where all do that could give way.
  func isProtected(at now: Instant) -> Bool {
    guard case .transferring(let begun, let moved) = self else { return false }
    return now < min(begun + Self.protectedTransfer, moved + Self.longestPause)
  }
}

/// A connection that takes up a place.
protocol PlaceHolder: AnyObject {
  /// Whether it comes from this machine.
  var isLocal: Bool { get }
  var activity: Activity { get }
}

/// The places of a service. When all are taken, the connection that has been quiet longest gives way to a newcomer.
///
/// Some places are kept for clients on this machine: clients elsewhere never hold those, so that a health check works
/// whatever the network does. Clients on this machine may hold more than those, but lose them to clients elsewhere.
struct ConnectionPlaces<Holder: PlaceHolder> {
  /// What a newcomer gets.
  enum Place {
    case free
    /// That of a connection, which is closed.
    case of(Holder)
    /// Every connection that could give way is in use.
    case none
  }

  private let limit: Int
  private let remoteLimit: Int
  private var holders: [ObjectIdentifier: Holder] = [:]
  private var remoteCount = 0

  /// - Parameter reserved: how many of the `limit` places clients elsewhere cannot hold; one is theirs in any case.
  init(limit: Int, reserved: Int) {
    self.limit = limit
    remoteLimit = max(1, limit - reserved)
  }

  var all: some Collection<Holder> { holders.values }

  private var isFull: Bool { holders.count >= limit }

  /// The place for a connection that has just been made.
  func place(forLocal isLocal: Bool, at now: Instant) -> Place {
    if !isLocal, remoteCount >= remoteLimit { return quietest(at: now) { !$0.isLocal } }
    return isFull ? quietest(at: now) { _ in true } : .free
  }

  /// Whether there is a place for a client on this machine, and so a reason to accept connections.
  var hasPlace: Bool { !isFull || holders.values.contains { $0.activity.quietSince != nil } }

  mutating func add(_ holder: Holder) {
    holders[ObjectIdentifier(holder)] = holder
    if !holder.isLocal { remoteCount += 1 }
  }

  /// Does nothing for one that has no place any more.
  mutating func remove(_ holder: Holder) {
    guard holders.removeValue(forKey: ObjectIdentifier(holder)) != nil else { return }
    if !holder.isLocal { remoteCount -= 1 }
  }

  private func quietest(at now: Instant, where isEligible: (Holder) -> Bool) -> Place {
    var found: (holder: Holder, isProtected: Bool, since: Instant)?
    for holder in holders.values where isEligible(holder) {
      let activity = holder.activity
      guard let since = activity.quietSince else { continue }
      let isProtected = activity.isProtected(at: now)
      if let found {
        guard found.isProtected == isProtected ? since < found.since : found.isProtected else { continue }
      }
      found = (holder, isProtected, since)
    }
    return found.map { .of($0.holder) } ?? .none
  }
}
