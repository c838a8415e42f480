internal import Configuration
internal import Interception
internal import Locks
internal import Reactor
internal import SystemPackage
internal import Telemetry

/// How many lines of each kind a worker's clients may still bring about in the log, and how many suggestions.
struct WorkerNotices {
  /// Known hosts similar to an unknown one: each search is up to a millisecond of work, which blocks the loop.
  var suggestion = NoticeBudget(lines: 4, per: .seconds(1))
  fileprivate var refusal = NoticeBudget(lines: 1, per: interval)
  fileprivate var eviction = NoticeBudget(lines: 1, per: interval)
  fileprivate var exhaustion = NoticeBudget(lines: 1, per: interval)
  fileprivate var unusedTunnel = NoticeBudget(lines: 1, per: interval)
  fileprivate var header = NoticeBudget(lines: 1, per: interval)
  fileprivate var handshake = NoticeBudget(lines: 10, per: interval)

  private static let interval = Duration.seconds(10)
}

// What goes wrong before there is a request, which then has a line of its own.
extension Worker {
  /// A client has too many connections, or too many for the memory that is left.
  func noteRefusal(of peer: SocketPeer, _ error: ExchangeError) {
    guard let limit = error.limit else { preconditionFailure("a connection is refused for a limit") }
    metrics.reached(limit)
    local.unrouted.count(error)
    guard notices.refusal.spend(at: loop.now) else { return }
    logger.warning(
      .refused, [.client: "\(peer)", .error: "too many connections", .limit: "\(limit.rawValue)"])
  }

  /// Connections without a request are closed for want of memory.
  func noteEviction(of connection: ClientConnection) {
    guard notices.eviction.spend(at: loop.now) else { return }
    logger.warning(
      .refused,
      [.client: "\(connection.peer)", .error: "no memory for connections without a request", .limit: "memory"])
  }

  /// Connections cannot be accepted.
  func noteExhaustion(_ errno: Errno) {
    if errno.isShortage { metrics.reached(.descriptors) }
    guard notices.exhaustion.spend(at: loop.now) else { return }
    let hint = errno.isShortage ? "raise the limit of open files (ulimit -n)" : "connections wait in the kernel's queue"
    logger.warning(.accept, [.error: "\(errno)", .hint: "\(hint)"])
  }

  /// A client has agreed on TLS inside a tunnel, and has left without a request: some, Node.js among them, look at the
  /// certificate only then, and say nothing.
  func noteUnusedTunnel(of peer: String, to target: TunnelTarget) {
    guard notices.unusedTunnel.spend(at: loop.now) else { return }
    logger.notice(
      .tunnel,
      [
        .client: "\(peer)", .host: "\(target.authority)", .detail: "the client left without a request",
        .hint:
          "if this goes on, it does not trust the proxy's certificate authority; m2m-proxy ca trust says how to add it",
      ])
  }

  /// A load balancer's connection does not begin with what it must begin with.
  func noteProxyHeader(of peer: String, _ fault: String) {
    local.unrouted.count(.proxyHeader)
    guard notices.header.spend(at: loop.now) else { return }
    logger.warning(
      .proxyProtocol,
      [
        .client: "\(peer)", .error: "\(fault)",
        .hint: "proxy_protocol of the listener names this address: does it send the header, as version 1 or 2?",
      ])
  }

  /// A client and a listener did not agree on TLS.
  func noteHandshake(of peer: String, _ failure: TLSFailure, _ listener: ListenerSettings) {
    let error = ExchangeError.clientTLS(failure, inside: "")
    local.unrouted.count(error)
    guard notices.handshake.spend(at: loop.now) else { return }
    logger.warning(
      .tls,
      [
        .client: "\(peer)", .listener: "\(listener.address)", .error: "\(error.kind.name)",
        .detail: "\(error.detail)", .hint: "\(error.hint)",
      ])
  }
}

/// Lines about limits that were reached: one a second at most for each limit, whichever loop it was on.
final class LimitNotices: Sendable {
  private struct Notice {
    var count: UInt64 = 0
    /// When the next line may be written.
    var next = Instant(nanoseconds: 0)
  }

  private let logger: EventLog
  private let now: @Sendable () -> Instant
  private let notices = Monitor<[Limit: Notice]>([:])

  init(_ logger: EventLog, now: @escaping @Sendable () -> Instant = { .now }) {
    (self.logger, self.now) = (logger, now)
  }

  /// Writes a line, unless there was one less than a second ago: then the next line counts this time.
  func reached(_ limit: Limit) {
    let now = now()
    let count = notices.withLock { notices -> UInt64? in
      var notice = notices[limit, default: Notice()]
      defer { notices[limit] = notice }
      notice.count += 1
      guard now >= notice.next else { return nil }
      defer { notice.count = 0 }
      notice.next = now + .seconds(1)
      return notice.count
    }
    guard let count else { return }
    logger.notice(.limit, [.limit: "\(limit.rawValue)", .count: .number(Int(count))])
  }
}

/// How often something is done in a while that clients can bring about as often as they like: a line of the log, a suggestion.
struct NoticeBudget {
  private let lines: Int
  private let interval: Duration
  private var used = 0
  private var end = Instant(nanoseconds: 0)

  init(lines: Int, per interval: Duration) {
    self.lines = lines
    self.interval = interval
  }

  /// Whether there is a line left at `now`, which is used then.
  mutating func spend(at now: Instant) -> Bool {
    if now >= end {
      end = now + interval
      used = 0
    }
    used += 1
    return used <= lines
  }
}
