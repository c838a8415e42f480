internal import Bytes
internal import Reactor
internal import Upstream

/// Lets requests of one loop begin only while there is memory for them; the others wait here.
///
/// Below ``MemoryAccount/Level/tight`` every request begins. Above, a client may begin another one only while there is room for
/// more requests than it has under way, so that the last quarter of the memory is for clients that have few. At the limit none
/// begins. Of the clients that wait, the one with the fewest requests under way is next. Used on the loop's thread only.
final class MemoryGate {
  final class Waiter {
    fileprivate(set) var isAdmitted = false
    /// Whether it gave way to a request of another client.
    fileprivate(set) var isDisplaced = false
    fileprivate let wakeup: Wakeup

    init(_ wakeup: Wakeup) { self.wakeup = wakeup }
  }

  /// What a request has to do.
  enum Arrival {
    case begins
    case waits(Waiter)
    /// As many wait as may.
    case isRefused
  }

  /// How much memory a request takes when the account is near its limit: a head, and content in both directions.
  static let bytesPerRequest = 96 * 1024

  let account: MemoryAccount
  private let queueLimit: Int
  private let loops: Int
  /// Counts the requests that are under way, by client.
  private let count: () -> [ClientKey: Int]
  private var waiters = ClientLines<Waiter>()
  private var held: [ClientKey: Int] = [:]
  private var counted: Instant?
  // Requests that began since they were counted, whose memory may not be in the account yet.
  private var begun = 0

  // Counting looks at every connection.
  private static let countingInterval = Interval(.milliseconds(100))

  /// - Parameter queueLimit: how many requests may wait.
  /// - Parameter loops: how many loops share the account.
  init(_ account: MemoryAccount, queueLimit: Int, loops: Int = 1, count: @escaping () -> [ClientKey: Int]) {
    self.account = account
    self.queueLimit = queueLimit
    self.loops = loops
    self.count = count
  }

  /// How many requests wait.
  var waiting: Int { waiters.count }

  /// A request of `client` comes, at `now`; it waits at `wakeup` if need be.
  func arrive(_ client: ClientKey, at wakeup: Wakeup, _ now: Instant) -> Arrival {
    if mayBegin(client, now) { return .begins }
    if waiters.count >= queueLimit {
      guard let displaced = waiters.displace(for: client, held: held) else { return .isRefused }
      displaced.isDisplaced = true
      displaced.wakeup.wake()
    }
    let waiter = Waiter(wakeup)
    waiters.append(waiter, of: client, most: .max)
    return .waits(waiter)
  }

  /// Admits those that may begin by now. To be called again and again while requests wait.
  ///
  /// As many begin as there is room for, also where all of them may: their memory is in the account only when they have taken it.
  func look(_ now: Instant) {
    while !waiters.isEmpty {
      let places = places(now)
      guard places > 0 else { return }
      // A client that has as many under way as could begin does not get the next place.
      let counts = account.isTight ? held.mapValues { $0 < places ? $0 : .max } : held
      guard let next = waiters.next(held: counts) else { return }
      begin(next.client)
      next.waiter.isAdmitted = true
      next.waiter.wakeup.wake()
    }
  }

  /// `waiter` of `client` waits no more.
  func withdraw(_ waiter: Waiter, of client: ClientKey) {
    _ = waiters.remove(waiter, of: client, most: .max)
  }

  private func mayBegin(_ client: ClientKey, _ now: Instant) -> Bool {
    guard account.isTight else { return true }
    let places = places(now)
    guard held[client] ?? 0 < places else { return false }
    begin(client)
    return true
  }

  private func begin(_ client: ClientKey) {
    held[client, default: 0] += 1
    begun += 1
  }

  /// How many requests could begin on this loop.
  private func places(_ now: Instant) -> Int {
    if counted.map({ now >= $0 + Self.countingInterval }) ?? true {
      counted = now
      held = count()
      begun = 0
    }
    return account.room / Self.bytesPerRequest / loops - begun
  }
}
