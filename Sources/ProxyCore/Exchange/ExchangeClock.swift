internal import Reactor

/// How long the parts of an exchange took, in nanoseconds.
struct ExchangeClock {
  /// When the first byte of the request was there.
  let start: Instant
  /// How long it waited for its turn.
  var queued: UInt64 = 0
  /// How long it waited for a token.
  var token: UInt64 = 0
  /// How long it waited because the API asked for that.
  var throttled: UInt64 = 0
  /// How long it waited for a connection.
  var connect: UInt64 = 0
  /// From the start to the first byte of the upstream's answer; nil when there was none.
  var firstByte: UInt64?
  /// From the start to the change of the connection's protocol; nil when there was none.
  var switched: UInt64?

  init(start: Instant = .never) {
    self.start = start
  }
}
