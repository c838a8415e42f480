internal import Reactor

/// What a connection is doing, as far as it decides which one gives way when all places are taken.
enum Activity {
  /// A request is being handled, or the connection is new and its socket has not been read yet.
  case working
  /// No complete request head has arrived. The first byte of a head restarts this time, later bytes do not.
  case idle(since: Instant)
  /// A body or a response is in transit, or about to be. `moved` is when the peer last sent or took a part of it.
  case transferring(begun: Instant, moved: Instant)

  // Many silent connections must not cut off a transfer that makes progress; many transfers may.
  private static let longestPause = Duration.seconds(1)
  private static let protectedTransfer = Duration.seconds(5)

  /// When the peer was last active; nil if the connection must not be closed in favour of another one.
  var quietSince: Instant? {
    switch self {
    case .working: nil
    case .idle(let since): since
    case .transferring(_, let moved): moved
    }
  }

  /// Whether it gives way only if all other candidates are protected too.
  func isProtected(at now: Instant) -> Bool {
    guard case .transferring(let begun, let moved) = self else { return false }
    return now < min(begun + Self.protectedTransfer, moved + Self.longestPause)
  }
}

/// A connection that occupies a place.
protocol PlaceHolder: AnyObject {
  /// Whether it comes from this machine.
  var isLocal: Bool { get }
  var activity: Activity { get }
}

/// The places of a service. When all are taken, the connection that has been quiet longest gives way to a new one.
///
/// Some places are reserved for clients on this machine; remote clients never get those, so that a health check works whatever
/// the network does. Local clients may hold more places than that, but lose the others to remote clients.
struct ConnectionPlaces<Holder: PlaceHolder> {
  /// What a new connection gets.
  enum Place {
    case free
    /// The place of another connection, which is closed.
    case of(Holder)
    /// Every connection that could give way is in use.
    case none
  }

  private let limit: Int
  private let remoteLimit: Int
  private var holders: [ObjectIdentifier: Holder] = [:]
  private var remoteCount = 0

  /// - Parameter reserved: how many of the `limit` places remote clients cannot have; they always get at least one.
  init(limit: Int, reserved: Int) {
    self.limit = limit
    remoteLimit = max(1, limit - reserved)
  }

  var all: some Collection<Holder> { holders.values }

  private var isFull: Bool { holders.count >= limit }

  /// The place for a new connection.
  func place(forLocal isLocal: Bool, at now: Instant) -> Place {
    if !isLocal, remoteCount >= remoteLimit { return quietest(at: now) { !$0.isLocal } }
    return isFull ? quietest(at: now) { _ in true } : .free
  }

  /// Whether a client on this machine would get a place, so that accepting makes sense.
  var hasPlace: Bool { !isFull || holders.values.contains { $0.activity.quietSince != nil } }

  mutating func add(_ holder: Holder) {
    holders[ObjectIdentifier(holder)] = holder
    if !holder.isLocal { remoteCount += 1 }
  }

  /// Does nothing if it has no place any more.
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
