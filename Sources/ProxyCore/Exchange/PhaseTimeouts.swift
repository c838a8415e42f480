internal import Configuration
internal import Reactor

/// How long the phases of an exchange may take.
struct PhaseTimeouts: Sendable {
  /// For the client to send a complete head, once it has begun.
  let head: Interval
  /// For a client to agree on TLS.
  let handshake: Interval
  /// For a connection between two requests.
  let idle: Interval
  /// Between two pieces of content, in either direction.
  let body: Interval
  /// For a token.
  let token: Interval
  /// For a connection to the upstream.
  let connect: Duration
  /// From the request being sent to the beginning of the response.
  let firstByte: Interval
  /// Between two pieces of a stream of events, which may be quiet for as long as a tunnel.
  let eventStream: Interval
  /// For a tunnel through which nothing moves.
  let tunnel: Interval
  /// For all of it; nil for no limit.
  let total: Interval?

  init(_ timeouts: Timeouts) {
    head = Interval(timeouts.head)
    handshake = Interval(timeouts.handshake)
    idle = Interval(timeouts.idle)
    body = Interval(timeouts.body)
    token = Interval(timeouts.token)
    connect = timeouts.connect
    firstByte = Interval(timeouts.firstByte)
    eventStream = Interval(max(timeouts.body, timeouts.tunnel))
    tunnel = Interval(timeouts.tunnel)
    total = timeouts.total.map(Interval.init)
  }
}
