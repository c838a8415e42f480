internal import Configuration
internal import Reactor

/// How long the phases of an exchange may take.
struct PhaseTimeouts: Sendable {
  /// For the client to send a complete head, from its first byte on.
  let head: Interval
  /// For the TLS handshake with a client.
  let handshake: Interval
  /// For a connection between two requests.
  let idle: Interval
  /// Between two pieces of a body, in either direction.
  let body: Interval
  /// For a token.
  let token: Interval
  /// For a connection to the upstream.
  let connect: Duration
  /// From sending the request to the beginning of the response.
  let firstByte: Interval
  /// Between two pieces of an event stream, which may be quiet as long as a tunnel.
  let eventStream: Interval
  /// For a tunnel in which nothing moves.
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
