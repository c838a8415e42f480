internal import Addresses
internal import COpenSSL
internal import Glibc
internal import Reactor

/// How a connection to one of several addresses is made, as RFC 8305 describes it: a value. Events go in, actions come out;
/// ``DialAttempt`` carries them out.
///
/// The first address is tried. While it does not connect, the next one is tried beside it after a short delay; when one
/// fails, the next one is tried at once. The first that connects is used. When all have failed, and trying again may
/// help, they are tried again after a pause: a server that restarts is away for less than a second.
struct ConnectPlan {
  enum Action: Equatable {
    /// Choose the addresses, in the order in which to try them, and pass them to ``use(_:)``.
    case choose
    /// Connect to this address.
    case start(IPAddress, attempt: Int)
    /// There is no connection; end all attempts that were begun.
    case fail(UpstreamError)
  }

  /// A connection in the making.
  struct Attempt: Equatable {
    let number: Int
    let address: IPAddress
    let began: Instant
  }

  private enum State {
    case waiting(until: Instant)
    case choosing
    case trying
    case over
  }

  /// The next address is tried beside the last one after this time (RFC 8305 section 5).
  static var delay: Duration { .milliseconds(250) }
  /// The same, after an attempt whose TCP has connected while TLS goes on.
  static var establishedDelay: Duration { .seconds(1) }
  /// The pauses before all are tried again: together a second.
  static var pauses: [Duration] { [50, 100, 200, 300, 350].map { .milliseconds($0) } }

  private let host: String
  private let attempts: Int
  private let timeout: Duration
  private let deadline: Instant
  private var state: State
  private var queue: ArraySlice<IPAddress> = []
  private var nextStart: Instant
  private var started = 0
  private var round = 0
  private var lastError: UpstreamError?
  private var mayRetry = true
  /// The connections in the making, the one that began last at the end.
  private(set) var active: [Attempt] = []

  /// A plan that begins at `now` and ends within `timeout`.
  ///
  /// - Parameter attempts: how many addresses are tried before the first pause; with 1 there is no pause and no other attempt.
  init(host: String, attempts: Int, timeout: Duration, at now: Instant) {
    self.host = host
    self.attempts = max(1, attempts)
    self.timeout = timeout
    deadline = now + timeout
    state = .waiting(until: now)
    nextStart = now
  }

  /// Whether it has ended because its time was over.
  private(set) var isOverdue = false

  /// When ``next(at:isEstablished:)`` has something to do, unless something happens before.
  var wake: Instant {
    switch state {
    case .waiting(let until): min(until, deadline)
    case .choosing: deadline
    case .trying: queue.isEmpty || !mayRetry ? deadline : min(nextStart, deadline)
    case .over: .never
    }
  }

  /// What remains at `now` of the time that connecting may take.
  func rest(at now: Instant) -> Duration { .nanoseconds(Int64(clamping: deadline - now)) }

  /// What to do at `now`; nil for nothing. Call until it returns nil, after every event and at ``wake``.
  ///
  /// - Parameter isEstablished: whether TCP has connected an attempt.
  mutating func next(at now: Instant, isEstablished: (Int) -> Bool) -> Action? {
    switch state {
    case .over: return nil
    case _ where now >= deadline:
      isOverdue = true
      return .fail(end(overdue))
    case .waiting(let until):
      guard now >= until else { return nil }
      state = .choosing
      return .choose
    case .choosing: return nil
    case .trying: break
    }
    if mayRetry, let address = queue.first, isTimeForAnother(now, isEstablished) {
      queue.removeFirst()
      started += 1
      active.append(Attempt(number: started, address: address, began: now))
      nextStart = now + Self.delay
      return .start(address, attempt: started)
    }
    guard active.isEmpty else { return nil }
    guard mayRetry, attempts > 1, round < Self.pauses.count, now + Self.pauses[round] < deadline else {
      return .fail(end(lastError ?? .connect("\(host) has no address that could be tried")))
    }
    state = .waiting(until: now + Self.pauses[round])
    round += 1
    return nil
  }

  /// Supplies the addresses; there is at least one.
  mutating func use(_ addresses: [IPAddress]) {
    guard case .choosing = state else { return }
    queue = addresses.prefix(attempts)
    state = .trying
    nextStart = Instant(nanoseconds: 0)
  }

  /// There are no addresses.
  mutating func cannotChoose(_ error: UpstreamError) {
    guard case .choosing = state else { return }
    lastError = error
    mayRetry = false
    queue = []
    state = .trying
  }

  /// The attempt has failed.
  ///
  /// - Parameter mayPass: whether another attempt may do better.
  mutating func failed(_ attempt: Int, _ error: UpstreamError, mayPass: Bool) {
    guard let index = active.firstIndex(where: { $0.number == attempt }) else { return }
    active.remove(at: index)
    // Report the error that ends the plan.
    if mayRetry { lastError = error }
    if !mayPass { mayRetry = false }
    nextStart = Instant(nanoseconds: 0)
  }

  /// The attempt has connected; end all others. Returns those that began before it, and took longer than the plan waits
  /// for one: these count as failed.
  mutating func connected(_ attempt: Int, at now: Instant) -> [Attempt] {
    state = .over
    let winner = active.first { $0.number == attempt }
    let overtaken = active.filter { other in
      other.number < attempt && other.address != winner?.address && now >= other.began + Self.delay
    }
    active = []
    return overtaken
  }

  private mutating func isTimeForAnother(_ now: Instant, _ isEstablished: (Int) -> Bool) -> Bool {
    guard let last = active.last else { return true }
    guard now >= nextStart else { return false }
    let isDue = nextStart == Instant(nanoseconds: 0) || now >= last.began + Self.establishedDelay
    if isDue || !isEstablished(last.number) { return true }
    // Not asked again before: a moment that has passed would wake the loop all the time.
    nextStart = last.began + Self.establishedDelay
    return false
  }

  private mutating func end(_ error: UpstreamError) -> UpstreamError {
    state = .over
    return error
  }

  private var overdue: UpstreamError {
    let time = "\(timeout.milliseconds) ms"
    if case .choosing = state { return .dns("\(host) was not resolved within \(time)") }
    guard !active.isEmpty else { return .connectTimeout("no connection within \(time)") }
    let silent = active.map(\.address.text).joined(separator: ", ")
    return .connectTimeout("no connection to \(silent) within \(time)")
  }
}

extension Duration {
  var milliseconds: Int { Int(clamping: nanoseconds / 1_000_000) }
}

/// How connecting failed, if another attempt may succeed: none of these depends on what is sent once the connection is made.
public enum ConnectFault: String, CaseIterable, Sendable {
  /// No process accepts connections there.
  case refused
  /// There is no route to it, or something on the way does not let connections through.
  case unreachable
  /// Nothing came back.
  case timeout
  /// The connection was lost before it could be used, in the handshake of TLS too.
  case reset
  /// Another address, which was tried later, connected first.
  case overtaken
}

extension ConnectFault {
  /// The fault behind `error`, for which the system gave `number`; nil where another attempt would end in the same way.
  ///
  /// - Parameter handshake: how the TLS handshake has ended, where that is what failed.
  init?(_ error: UpstreamError, system number: Int32, handshake: HandshakeEnd = .none) {
    switch error {
    case .connectTimeout: self = .timeout
    case .broken: self = .reset
    // Nothing of the request has left, so that another attempt does no harm where it is not known what happened. Where OpenSSL
    // has named that, it would only cost time.
    case .tls where handshake == .lost || handshake == .unknown: self = .reset
    case .connect:
      switch number {
      case ECONNREFUSED: self = .refused
      case ETIMEDOUT: self = .timeout
      case ECONNRESET, EPIPE, ECONNABORTED: self = .reset
      default: self = .unreachable
      }
    default: return nil
    }
  }
}

/// How a TLS handshake has ended that has failed, by what OpenSSL reports and not by how libcurl words it.
enum HandshakeEnd {
  /// None has begun, or what failed was something else.
  case none
  /// Neither OpenSSL nor the server has said what failed.
  case unknown
  /// The connection was lost.
  case lost
  /// OpenSSL has named what is wrong: an alert of the server, its certificate, what it sent, what it offers.
  case refused

  init(_ noted: Int32) {
    switch Int(noted) {
    case Int(COPENSSL_HANDSHAKE_OPEN): self = .unknown
    case Int(COPENSSL_HANDSHAKE_LOST): self = .lost
    case Int(COPENSSL_HANDSHAKE_REFUSED): self = .refused
    default: self = .none
    }
  }
}
