internal import Bytes
internal import Callers
internal import HTTPWire
internal import Reactor
internal import Tokens
internal import Upstream

// What an exchange knows, grouped by how long it holds. A value that is replaced as a whole cannot be half of one exchange
// and half of the one before.

/// What a request says, and what is known of who sent it. It holds from the request's first byte to the exchange's end.
struct ReceivedRequest {
  /// Whether the head has been read, and is still in the connection's buffer.
  var hasHead = false
  var target: RequestTarget?
  /// What was corrected in the head before it was read.
  var normalised: Normalisation = []
  /// Who sent the request, by number among the callers of proxy.conf; nil if that is not known.
  var caller: Int?
  /// What became of its user and password, where they are not those of a caller.
  var passwordVerdict: PasswordVerdict?
  /// What is left of Max-Forwards, for a request that it means something to.
  var remainingForwards: UInt64?
  /// Whether the client's own credentials go on that authenticate the connection they are sent on (NTLM, Negotiate).
  var authenticatesConnection = false
  var uploadPace = ClientPace(rate: nil)
  var downloadPace = ClientPace(rate: nil)
  /// How much of the response had been delivered when its deadline was set.
  var deliveredAtDeadline: UInt64 = 0
}

/// What the proxy does with a request.
enum Plan {
  /// It goes on to the upstream.
  case forward
  /// CONNECT: bytes go both ways from here on.
  case openTunnel
  /// CONNECT: the requests inside the tunnel are served here.
  case interceptTunnel
  /// A token request that the proxy answers itself.
  case answerTokenRequest
}

/// What was decided about a request by its target.
struct Decision {
  let plan: Plan
  /// The route; where the request names a host below a wildcard, from ``Exchange/chooseUpstream(_:)`` on the one that leads
  /// there.
  var route: ProxyRoute
  /// Whether the route was found by the path alone, with which the proxy is the server that the client knows.
  var isMounted = false
  /// How many bytes at the beginning of the path are the mount's.
  var mountLength = 0
}

/// The token that goes on a request.
struct Bearer {
  /// Where it comes from; nil if the request needs none.
  var source: TokenSource?
  var token: AccessToken?
  /// What becomes of the token after the upstream refused it; nil if it did not.
  var replacement: TokenReplacement?
  /// Whether the source wants to know if the upstream accepts the token.
  var isOnTrial = false
  /// Why the request goes on without a token although the route has one.
  var missing: String?
}

/// What an exchange holds of what all share, and gives back at its end.
struct Holdings {
  /// Whether it counts among the requests of the route that are under way.
  var holdsPlace = false
  /// Whether memory for the response is counted as taken already.
  var expectsMemory = false
  /// The connections to the upstream, once that is chosen.
  var pool: UpstreamPool?
  /// The host below a wildcard that the request goes to, where it goes to one.
  var requestedHost: RequestedHosts.Host?
  /// What the client is sent before the response's content, until ``Exchange/download`` has it.
  var answerOutput: ByteBuffer?
  /// What goes both ways, once CONNECT has been answered or the protocol has changed.
  var tunnel: TunnelRelay?

  /// Whether it holds nothing.
  var isEmpty: Bool {
    !holdsPlace && !expectsMemory && pool == nil && requestedHost == nil && answerOutput == nil && tunnel == nil
  }
}

/// One attempt to get a response from the upstream.
struct Attempt {
  var upstream: UpstreamConnection?
  /// Whether the request went out on the connection that belongs to its client.
  var isOnPinned = false
  /// Whether it was sent on another connection before, which turned out to be closed.
  var isRepetition = false
  /// Whether the upstream takes no more of the request's content.
  var uploadIsRefused = false
  /// Bytes of the upstream's response, from the first one on, until ``Exchange/download`` has them.
  var answerInput: ByteBuffer?
  /// Whether ``Exchange/answerHead`` is that of this attempt.
  var hasAnswerHead = false
  /// What the response says about schemes that authenticate connections.
  var challenge = ConnectionChallenge.none
}

/// What became of an exchange: what the log and the metrics say, and what the connection does next.
struct Outcome {
  var status = 0
  /// Whether the client has some bytes of the response.
  var hasBegunAnswer = false
  var failure: ExchangeError?
  var ending = Exchange.Ending.closesConnection
  /// The statuses after which the request was sent again.
  var replayedAfter: [Int] = []
  /// What the upstream says is wrong with the token.
  var apiError: BearerError?
  /// What the log says of the request that a tunnel began with.
  var tunnelRequest: TunnelRequest?
  var clock = ExchangeClock()
}

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
  /// From the start to the first byte of the upstream's response; nil when there was none.
  var firstByte: UInt64?
  /// From the start to the change of the connection's protocol; nil when there was none.
  var switched: UInt64?

  init(start: Instant = .never) {
    self.start = start
  }
}

/// What is known of the request that a tunnel began with: its head is not kept for as long as the tunnel lasts.
struct TunnelRequest {
  var method: String
  var host: String
  /// Nil for CONNECT, whose target has none.
  var path: String?
  /// The protocol that is spoken now; nil for CONNECT, which does not name one.
  var protocols: String?
}
