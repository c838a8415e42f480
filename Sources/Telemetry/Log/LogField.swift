public import Logging

/// The fields of log lines: each name once, in the order in which a line shows them. ``EventKind`` declares which lines
/// have which fields; the tests reject a line with any other field.
public enum LogField: Int, CaseIterable, Sendable {
  case time
  case level
  case event
  case route
  case credentials
  case audience
  case scopes
  case reason
  case result
  case secret
  case lifetime
  case method
  case host
  case path
  case upgrade
  case normalised
  case status
  case sent
  case received
  case queued
  case token
  case throttled
  case withoutToken
  case connect
  case firstByte
  case total
  case took
  case fetchedToday
  case upstream
  case upstreamAddress
  case endpoint
  case replayed
  case apiError
  case apiErrorDescription
  case command
  case client
  case caller
  case requestId
  case error
  case detail
  case hint
  case certificate
  case limit
  case listener
  case resource
  case signal
  case source
  case caFile
  case generation
  case changed
  case linesDropped
  case count
  case version
  case file

  /// The meaning of the field, for the tables in `docs/operations.md`.
  public var meaning: String {
    switch self {
    case .time: "when the line was written: UTC, with milliseconds"
    case .level: "how important it is; absent for `info`"
    case .event: "what happened"
    case .route: "the route's name; absent when none matched"
    case .credentials: "the name of one of `credentials`"
    case .audience: "the audience of the token, if it has one"
    case .scopes: "the scopes that were asked for, with spaces between them"
    case .reason:
      "why a token was needed (`first`, `renewal`, `unauthorized`, `rotation`), proxy.conf loaded, an upgrade, or lines lost"
    case .result: "`ok` or `failed`"
    case .secret: "`previous` when `client_secret` was rejected and `client_secret_previous` accepted; absent otherwise"
    case .lifetime: "how long the token is valid; with `source=store`, what is left of that"
    case .method: "the request's method"
    case .host: "the host of the target, or of the Host field when the target has none"
    case .path: "the path of the target; the query is never logged"
    case .upgrade: "the protocol that the connection has changed to; absent when it has not"
    case .normalised:
      "what was corrected: `fragment`, `userinfo`, `raw_bytes`, `folded_field`, `bare_lf`; absent when nothing was"
    case .status: "what the client got; 0 when it went away before a response began"
    case .sent: "bytes of the API's response, without head and framing; 0 for the proxy's own responses"
    case .received: "bytes of the request, without head and framing"
    case .queued: "how long it waited for its turn, where the route has `concurrency`; absent when it did not"
    case .token: "how long the request waited for a token; 0 when one was there"
    case .throttled: "how long it waited because the API asked for that; absent when it did not"
    case .withoutToken: "why it was forwarded without a token, with `without_token: forward`; absent otherwise"
    case .connect: "how long it waited for an upstream connection; 0 when one was there"
    case .firstByte: "from the request's first byte to the first byte of the upstream's response"
    case .total: "from the request's first byte to the end"
    case .took: "how long it took"
    case .fetchedToday: "how many tokens were fetched on this day (UTC)"
    case .upstream: "the connection: `new`, `reused`, or `pinned`: the one that belongs to this client"
    case .upstreamAddress: "the address and port of that connection; those of the parent proxy where there is one"
    case .endpoint: "`token` if the proxy's own `token_endpoint` responded; absent otherwise"
    case .replayed: "the status after which it was sent again, or several with commas; absent when it was not"
    case .client: "address and port; `unix:uid=` and the user's number on a Unix socket"
    case .apiError:
      "what the API says is wrong with the token (`error` of a Bearer challenge); absent when it says nothing"
    case .apiErrorDescription: "its `error_description`"
    case .caller: "which of `callers` sent it; absent if that is not known"
    case .requestId:
      "`X-Request-Id` of the request where that is plain, else one that the proxy has made; error responses have it too"
    case .error: "the kind of failure, the same as in the metrics, or a short text; absent when nothing failed"
    case .detail: "what happened"
    case .hint: "how to fix it"
    case .certificate: "`reloaded`, or `kept` when the changed files cannot be used"
    case .limit: "the name of the limit that was reached"
    case .listener: "the address of the listener"
    case .resource: "the resources that were asked for (RFC 8707), with spaces between them"
    case .signal: "the name of the signal"
    case .source: "`store` when the token came from the token store; absent otherwise"
    case .command: "the command: `drain`, `reload`, `upgrade`, `reopen-logs` or `log-level`"
    case .caFile: "the file of trusted authorities; `system` for those of the system alone"
    case .generation: "the number of the configuration that is in use: 1 after the start"
    case .changed: "a setting of proxy.conf that has changed, and how"
    case .linesDropped: "how many lines were lost since the last line about it"
    case .count: "how often it happened since the last line about it"
    case .version: "the version of the proxy"
    case .file: "the file of the configuration"
    }
  }

  private static let names = allCases.map { field in
    // As in proxy.conf and in metrics: words with underscores between them.
    "\(field)".map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
  }

  /// The name of the field in a line.
  public var name: String { Self.names[rawValue] }

  /// The field of that name.
  init?(named name: String) {
    guard let index = Self.names.firstIndex(of: name) else { return nil }
    self = Self.allCases[index]
  }

  /// The unit in which durations of this field are written.
  var durationUnit: DurationUnit {
    self == .lifetime ? .seconds : .milliseconds
  }

  /// Whether a line shows this field before `other`.
  func precedes(_ other: LogField) -> Bool {
    rawValue < other.rawValue
  }
}

/// What a log line can be about: the value of `event`. Each is declared once, with the fields and levels of its lines.
public enum EventKind: String, CaseIterable, Sendable {
  /// The access log's event, written by ``AccessLog``.
  case request
  case token
  case tokenBudget = "token_budget"
  case tokenStore = "token_store"
  case secret
  case caller
  case tls
  case tunnel
  case proxyProtocol = "proxy_protocol"
  case refused
  case accept
  case limit
  case signal
  case reload
  case upgrade
  case control
  case log
  case start
  case ready
  case drain
  case stop

  /// What has happened, for the table in `docs/operations.md`.
  public var meaning: String {
    switch self {
    case .request: "a request, or a tunnel, has ended (the access log)"
    case .token: "a token was fetched, came from the token store, or could not be fetched"
    case .tokenBudget: "a token budget is spent, or nearly spent"
    case .tokenStore: "the token store could not be used"
    case .secret:
      "a secret cannot be read, a program did not print one, or a client secret was rejected but the previous one works"
    case .caller: "a password was wrong, or could not be checked"
    case .tls:
      "a handshake with a client failed, or the files of a listener, or of trusted authorities, were read again"
    case .tunnel: "a client closed an intercepted tunnel without a request"
    case .proxyProtocol: "a load balancer's connection did not begin with a valid header"
    case .refused:
      "a client has too many connections, or connections without a request were closed for want of memory"
    case .accept: "a connection could not be accepted"
    case .control: "a command was sent over the control socket; `status` and `health` are not logged"
    case .signal: "a signal that does not stop the proxy, or the terminal hung up"
    case .reload: "proxy.conf was loaded again, or could not be"
    case .upgrade: "another process has taken the place of this one, or could not"
    case .limit: "a limit rejected, ended or delayed something; at most one line a second for each limit"
    case .log: "lines of the log were lost, or its output was opened again"
    case .start: "the proxy has bound its addresses"
    case .ready: "the proxy serves requests"
    case .drain: "the proxy accepts no more connections, and finishes the requests under way"
    case .stop: "the proxy has finished, and exits"
    }
  }

  /// The levels that its lines can have.
  public var levels: [Logger.Level] {
    switch self {
    case .request, .start, .ready: [.info]
    case .token: [.info, .warning]
    case .tls: [.notice, .warning]
    case .caller: [.warning, .error]
    case .tunnel, .signal, .limit, .drain, .stop: [.notice]
    case .log: [.notice, .warning]
    case .reload, .upgrade: [.notice, .warning]
    case .control: [.notice, .warning]
    case .tokenBudget, .tokenStore, .secret, .proxyProtocol, .refused, .accept: [.warning]
    }
  }

  /// The fields that its lines can have, besides those of every line: time, level and event.
  public var fields: [LogField] {
    switch self {
    case .request:
      [
        .route, .method, .host, .path, .upgrade, .normalised, .status, .sent, .received, .queued, .token, .throttled,
        .withoutToken,
        .connect, .firstByte, .total, .upstream, .upstreamAddress, .endpoint, .replayed, .apiError,
        .apiErrorDescription, .client,
        .caller, .requestId, .error, .detail, .hint,
      ]
    case .token:
      [
        .credentials, .audience, .scopes, .reason, .result, .secret, .lifetime, .took, .fetchedToday, .error, .detail,
        .hint, .resource, .source,
      ]
    case .tokenBudget, .secret: [.credentials, .error, .detail, .hint]
    case .tokenStore: [.credentials, .audience, .error, .detail, .hint]
    case .caller: [.client, .caller, .error, .detail]
    case .tls: [.client, .error, .detail, .hint, .certificate, .listener, .caFile]
    case .tunnel: [.host, .client, .detail, .hint]
    case .proxyProtocol: [.client, .error, .hint]
    case .refused: [.client, .error, .limit]
    case .accept: [.client, .error, .hint]
    case .control: [.command, .client, .error, .detail]
    case .signal: [.detail, .signal]
    case .reload: [.reason, .result, .took, .error, .detail, .hint, .generation, .changed]
    case .upgrade: [.reason, .result, .took, .error, .detail, .hint]
    case .limit: [.limit, .count]
    case .log: [.reason, .error, .detail, .hint, .linesDropped]
    case .start: [.listener, .version, .file]
    case .ready: [.took]
    case .drain, .stop: [.detail]
    }
  }
}

/// The text before the value of each ``LogField`` in a format, ready to be copied: a line has a dozen of them.
struct LogKeys {
  // Each is a vector, so that one instruction writes it, whatever its length, which is in the last element.
  private let keys: [SIMD32<UInt8>]

  init(_ format: LogFormat) {
    let fields = LogField.allCases
    keys =
      fields.map { Self.vector(format.key($0.name)) }
      + fields.map { Self.vector(format.key($0.name, unit: $0.durationUnit)) }
  }

  /// The key of `field`.
  @inline(__always)
  func key(of field: LogField) -> SIMD32<UInt8> { keys[field.rawValue] }

  /// The key of `field` before a duration.
  @inline(__always)
  func durationKey(of field: LogField) -> SIMD32<UInt8> { keys[keys.count / 2 + field.rawValue] }

  private static func vector(_ text: String) -> SIMD32<UInt8> {
    let utf8 = Array(text.utf8)
    precondition(utf8.count < 32, "the name of a field is short")
    var vector = SIMD32<UInt8>()
    for (index, byte) in utf8.enumerated() { vector[index] = byte }
    vector[31] = UInt8(utf8.count)
    return vector
  }
}

/// How log lines are written.
public enum LogFormat: UInt8, Sendable {
  /// `key=value` pairs for people, and for the tools that read them: a value that is not plain printable ASCII, or
  /// contains a space, an equals sign, a quotation mark or a backslash, is written as a JSON string.
  case logfmt
  /// One JSON object per line.
  case json
}

extension LogFormat {
  /// The text before the value of the field `name`, which is not the first of its line; for a duration, with its unit.
  func key(_ name: String, unit: DurationUnit? = nil) -> String {
    switch self {
    case .logfmt: " \(name)="
    case .json: ",\"\(name)\(unit.map { "_\($0.symbol)" } ?? "")\":"
    }
  }
}
