internal import Bytes
internal import Reactor
internal import Upstream

/// The memory that requests of one loop are going to take: each will get a buffer for its response, possibly much
/// later. It counts as taken from the beginning, so that a burst of requests cannot begin when there is only room for a
/// few.
///
/// Does nothing if memory has no limit.
struct ExpectedMemory {
  private let account: MemoryAccount
  private let isBounded: Bool
  private var requests = 0
  // The requests that the account knows of. All loops share it, so not every request updates it.
  private var charged = 0

  // What a buffer for a body takes when memory is short, and the steps in which the account is updated.
  private static let bytesPerRequest = 16 * 1024
  private static let longestStep = 16
  // What the account does not know, of all loops together, is less than this part of the limit.
  private static let unknownPart = 32
  private let step: Int

  /// - Parameter loops: how many loops share the account.
  init(_ account: MemoryAccount, loops: Int) {
    self.account = account
    isBounded = account.limit != nil
    step = max(1, min(Self.longestStep, (account.limit ?? 0) / Self.unknownPart / Self.bytesPerRequest / loops))
  }

  /// A request that will have a response begins.
  mutating func begin() {
    guard isBounded else { return }
    requests += 1
    if requests >= charged + step { tell() }
  }

  /// The response has arrived, with its buffer, or will not arrive.
  mutating func end() {
    guard isBounded else { return }
    requests -= 1
    assert(requests >= 0)
    if requests == 0 || requests <= charged - step { tell() }
  }

  private mutating func tell() {
    let more = requests - charged
    guard more != 0 else { return }
    charged = requests
    account.charge(more * Self.bytesPerRequest)
  }
}

/// Lets requests of one loop begin only while there is memory for them; the others wait here.
///
/// Below ``MemoryAccount/Level/tight`` every request begins. Above, a client may begin another one only while there is
/// room for more requests than it has under way, so that the last quarter of the memory is for clients that have few.
/// At the limit none begins. Of the clients that wait, the one with the fewest requests under way is next.
///
/// Waiting requests take memory too. Their number and their bytes are bounded, so that room is left for those that
/// begin. Used on the loop's thread only.
final class MemoryGate {
  final class Waiter {
    fileprivate(set) var isAdmitted = false
    /// Whether a request of another client displaced it.
    fileprivate(set) var isDisplaced = false
    fileprivate let wakeup: Wakeup
    /// The memory that it takes while it waits.
    fileprivate let bytes: Int

    init(_ wakeup: Wakeup, bytes: Int) {
      self.wakeup = wakeup
      self.bytes = bytes
    }
  }

  /// What a request must do.
  enum Arrival {
    case begins
    case waits(Waiter)
    /// The queue is full, and no client has more waiting requests than this one.
    case isRefused
  }

  /// How much memory a request takes when the account is near its limit: a head, and a body in both directions.
  static let bytesPerRequest = 96 * 1024

  let account: MemoryAccount
  private var queueLimit: Int
  private var mostWaitingBytes: Int
  private let loops: Int
  /// Counts the requests that are under way, by client.
  private let count: () -> [ClientKey: Int]
  private var waiters = ClientLines<Waiter>()
  private var waitingBytes = 0
  private var held: [ClientKey: Int] = [:]
  private var counted: Instant?
  // Requests that began since the last count, whose memory may not be in the account yet.
  private var begun = 0

  // The part of the limit that waiting requests may take: half of what is left when memory is tight.
  private static let waitingPart = 8

  // Counting visits every connection.
  private static let countingInterval = Interval(.milliseconds(100))

  /// - Parameter queueLimit: how many requests may wait.
  /// - Parameter loops: how many loops share the account.
  init(_ account: MemoryAccount, queueLimit: Int, loops: Int = 1, count: @escaping () -> [ClientKey: Int]) {
    self.account = account
    self.queueLimit = queueLimit
    self.loops = loops
    mostWaitingBytes = 0
    self.count = count
    change(queueLimit: queueLimit)
  }

  /// Sets how many requests may wait, and how many bytes they may take under the account's limit.
  func change(queueLimit: Int) {
    self.queueLimit = queueLimit
    mostWaitingBytes = max(Self.bytesPerRequest, (account.limit ?? .max) / Self.waitingPart / loops)
  }

  /// How many requests wait.
  var waiting: Int { waiters.count }

  /// A request of `client` arrives at `now`; if it cannot begin, it waits at `wakeup`, and takes `bytes` of memory meanwhile.
  func arrive(_ client: ClientKey, at wakeup: Wakeup, bytes: Int, _ now: Instant) -> Arrival {
    if mayBegin(client, now) { return .begins }
    if !hasRoom(waiters, waitingBytes + bytes) {
      guard displace(for: client, bytes: bytes) else { return .isRefused }
    }
    let waiter = Waiter(wakeup, bytes: bytes)
    waiters.append(waiter, of: client, most: .max)
    waitingBytes += bytes
    return .waits(waiter)
  }

  private func hasRoom(_ waiters: ClientLines<Waiter>, _ bytes: Int) -> Bool {
    waiters.count < queueLimit && (waiters.isEmpty || bytes <= mostWaitingBytes)
  }

  /// Makes room in the queue for a request of `client` that takes `bytes`; false, without any change, if that is impossible.
  private func displace(for client: ClientKey, bytes: Int) -> Bool {
    var (left, leftBytes) = (waiters, waitingBytes)
    var displaced: [Waiter] = []
    while !hasRoom(left, leftBytes + bytes) {
      guard let waiter = left.displace(for: client, held: held) else { return false }
      leftBytes -= waiter.bytes
      displaced.append(waiter)
    }
    (waiters, waitingBytes) = (left, leftBytes)
    for waiter in displaced {
      waiter.isDisplaced = true
      waiter.wakeup.wake()
    }
    return true
  }

  /// Admits those that may begin by now. Call it repeatedly while requests wait.
  ///
  /// Admits only as many as there is room for, even if all of them may begin: the account contains their memory only
  /// after they have taken it.
  func look(_ now: Instant) {
    while !waiters.isEmpty {
      let places = places(now)
      guard places > 0 else { return }
      // A client that has as many under way as could begin does not get the next place.
      let counts = account.isTight ? held.mapValues { $0 < places ? $0 : .max } : held
      guard let next = waiters.next(held: counts) else { return }
      waitingBytes -= next.waiter.bytes
      begin(next.client)
      next.waiter.isAdmitted = true
      next.waiter.wakeup.wake()
    }
  }

  /// `waiter` of `client` stops waiting.
  func withdraw(_ waiter: Waiter, of client: ClientKey) {
    if waiters.remove(waiter, of: client, most: .max) { waitingBytes -= waiter.bytes }
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
    // With many loops the part of each may be zero: then one request begins on each while there is room for one.
    let room = account.room / Self.bytesPerRequest
    return max(room / loops, min(room, 1)) - begun
  }
}
