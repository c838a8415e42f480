internal import Bytes
internal import Callers
internal import HTTPWire
internal import Reactor
internal import Tokens
internal import Upstream

// The state of an exchange, grouped by how long it holds. A value that is replaced as a whole cannot mix two exchanges.

/// What a request says, and what is known of its client. It holds from the request's first byte to the exchange's end.
struct ReceivedRequest {
  /// What tells it from all other requests: ``RequestNumbers``.
  var number: UInt64 = 0
  /// Whether the head has been read, and is still in the connection's buffer.
  var hasHead = false
  var target: RequestTarget?
  /// What was corrected in the head before it was read.
  var normalised: Normalisation = []
  /// The caller, by its number among the callers of proxy.conf; nil if unknown.
  var caller: Int?
  /// The verdict on its user and password, if they are not a caller's.
  var passwordVerdict: PasswordVerdict?
  /// What is left of Max-Forwards, for a method that uses it.
  var remainingForwards: UInt64?
  /// Whether the client's own credentials are forwarded, and authenticate the connection that they are sent on (NTLM,
  /// Negotiate).
  var authenticatesConnection = false
  var uploadPace = ClientPace(rate: nil)
  var downloadPace = ClientPace(rate: nil)
  /// How much of the response had been delivered when its deadline was set.
  var deliveredAtDeadline: UInt64 = 0
}

/// What the proxy does with a request.
enum Plan {
  /// Forwards it to the upstream.
  case forward
  /// CONNECT: forwards bytes in both directions from here on.
  case openTunnel
  /// CONNECT: serves the requests inside the tunnel here.
  case interceptTunnel
  /// Responds to a token request itself.
  case answerTokenRequest
}

/// The decision about a request, by its target.
struct Decision {
  let plan: Plan
  /// The route; for a host below a wildcard, ``Exchange/chooseUpstream(_:)`` replaces it by the route that leads to that host.
  var route: ProxyRoute
  /// Whether the path alone found the route, so that the client sees the proxy as the server.
  var isMounted = false
  /// How many bytes at the beginning of the path belong to the mount.
  var mountLength = 0
}

/// The token that goes on a request.
struct Bearer {
  /// Where it comes from; nil if the request needs none.
  var source: TokenSource?
  var token: AccessToken?
  /// What happens with the token after the upstream rejected it; nil if it did not.
  var replacement: TokenReplacement?
  /// Whether the source needs to know if the upstream accepts the token.
  var isOnTrial = false
  /// Why the request is forwarded without a token although the route has one.
  var missing: String?
}

/// Shared resources that an exchange holds, and gives back at its end.
struct Holdings {
  /// Whether it counts among the requests of the route that are under way.
  var holdsPlace = false
  /// Whether memory is reserved for the response.
  var expectsMemory = false
  /// The connections to the upstream, once that is chosen.
  var pool: UpstreamPool?
  /// The host below a wildcard that the request goes to, if it does.
  var requestedHost: RequestedHosts.Host?
  /// Bytes for the client before the response's body, until ``Exchange/download`` has them.
  var answerOutput: ByteBuffer?
  /// The relay of both directions, after the response to CONNECT or a switch of protocols.
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
  /// Whether it was sent before on another connection, which turned out to be closed.
  var isRepetition = false
  /// Whether the upstream takes no more of the request's body.
  var uploadIsRefused = false
  /// Bytes of the upstream's response, from the first one on, until ``Exchange/download`` has them.
  var answerInput: ByteBuffer?
  /// Whether ``Exchange/answerHead`` is that of this attempt.
  var hasAnswerHead = false
  /// What the response says about schemes that authenticate connections.
  var challenge = ConnectionChallenge.none
}

/// The result of an exchange: for the log, the metrics, and what the connection does next.
struct Outcome {
  var status = 0
  /// Whether the client has some bytes of the response.
  var hasBegunAnswer = false
  var failure: ExchangeError?
  var ending = Exchange.Ending.closesConnection
  /// The statuses after which the request was sent again.
  var replayedAfter: [Int] = []
  /// What the upstream says about the token.
  var apiError: BearerError?
  /// The request that a tunnel began with, for the log.
  var tunnelRequest: TunnelRequest?
  var clock = ExchangeClock()
}

/// How long the parts of an exchange took, in nanoseconds.
struct ExchangeClock {
  /// When the first byte of the request arrived.
  let start: Instant
  /// How long it waited for its turn.
  var queued: UInt64 = 0
  /// How long it waited for a token.
  var token: UInt64 = 0
  /// How long it waited because the API had throttled it.
  var throttled: UInt64 = 0
  /// How long it waited for a connection.
  var connect: UInt64 = 0
  /// From the start to the first byte of the upstream's response; nil if there was none.
  var firstByte: UInt64?
  /// From the start to the switch of protocols; nil if there was none.
  var switched: UInt64?

  init(start: Instant = .never) {
    self.start = start
  }
}

/// The request that a tunnel began with: its head is not kept while the tunnel lasts.
struct TunnelRequest {
  var method: String
  var host: String
  /// Nil for CONNECT, whose target has no path.
  var path: String?
  /// The protocol after the switch; nil for CONNECT, which names none.
  var protocols: String?
  /// Its identifier: ``Exchange/requestID``.
  var requestID: String
}
