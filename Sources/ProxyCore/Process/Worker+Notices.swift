internal import Configuration
internal import Interception
internal import Locks
internal import Reactor
internal import SystemPackage
internal import Telemetry

/// How many log lines of each kind, and how many suggestions, the clients of a worker may still cause.
struct WorkerNotices {
  /// Searches for known hosts similar to an unknown one: each takes up to a millisecond, which blocks the loop.
  var suggestion = NoticeBudget(lines: 4, per: .seconds(1))
  fileprivate var refusal = NoticeBudget(lines: 1, per: interval)
  fileprivate var eviction = NoticeBudget(lines: 1, per: interval)
  fileprivate var exhaustion = NoticeBudget(lines: 1, per: interval)
  fileprivate var unusedTunnel = NoticeBudget(lines: 1, per: interval)
  fileprivate var header = NoticeBudget(lines: 1, per: interval)
  fileprivate var handshake = NoticeBudget(lines: 10, per: interval)

  private static let interval = Duration.seconds(10)
}

// Notices before there is a request; a request has a line of its own.
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

  /// Connections without a request were closed for lack of memory.
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

  /// A client did the TLS handshake inside a tunnel, and left without a request: some, Node.js among them, check the
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

  /// A load balancer's connection does not begin with a valid header.
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

  /// A TLS handshake between a client and a listener failed.
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

/// Lines about limits that were reached: at most one a second for each limit, for all loops together.
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

  /// Writes a line, unless one was written less than a second ago: then the next line includes this occurrence.
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

/// Limits how often something is done that clients can cause at will: a line of the log, a suggestion.
struct NoticeBudget {
  private let lines: Int
  private let interval: Duration
  private var used = 0
  private var end = Instant(nanoseconds: 0)

  init(lines: Int, per interval: Duration) {
    self.lines = lines
    self.interval = interval
  }

  /// Whether a line is left at `now`; uses it up.
  mutating func spend(at now: Instant) -> Bool {
    if now >= end {
      end = now + interval
      used = 0
    }
    used += 1
    return used <= lines
  }
}
