public import Logging

/// What a line of the log can be about: the value of `event`, each declared once with the fields and levels of its lines.
public enum EventKind: String, CaseIterable, Sendable {
  /// The access log's: ``AccessLog`` writes it.
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
  case signal

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
    case .refused: "a client has too many connections, or too many for the memory that is left"
    case .accept: "a connection could not be accepted"
    case .signal: "a signal that does not stop the proxy, or the terminal hung up"
    }
  }

  /// The levels that its lines can have.
  public var levels: [Logger.Level] {
    switch self {
    case .request: [.info]
    case .token: [.info, .warning]
    case .tls: [.notice, .warning]
    case .caller: [.warning, .error]
    case .tunnel, .signal: [.notice]
    case .tokenBudget, .tokenStore, .secret, .proxyProtocol, .refused, .accept: [.warning]
    }
  }

  /// The fields that its lines can have, besides those of every line: time, level and event.
  public var fields: [LogField] {
    switch self {
    case .request:
      [
        .route, .method, .host, .path, .upgrade, .normalised, .status, .sent, .received, .queued, .token, .throttled,
        .withoutToken, .connect, .firstByte, .total, .upstream, .endpoint, .replayed, .apiError, .apiErrorDescription,
        .client,
        .caller, .error, .detail,
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
    case .signal: [.detail, .signal]
    }
  }
}

/// The log of everything but requests. It takes declared events with declared fields only.
public struct EventLog: Sendable {
  /// What a line says beside its event.
  public typealias Fields = [LogField: Value]

  /// The value of a field: most are text, and written as a string literal.
  public enum Value: ExpressibleByStringInterpolation, Sendable {
    case text(String)
    case number(Int)
    case duration(Duration)

    /// Text.
    public init(stringLiteral text: String) { self = .text(text) }

    fileprivate var metadata: Logger.MetadataValue {
      switch self {
      case .text(let text): .string(text)
      case .number(let number): .stringConvertible(number)
      case .duration(let duration): .stringConvertible(duration)
      }
    }
  }

  private let logger: Logger

  /// A log that writes its lines through `logger`.
  public init(_ logger: Logger) {
    self.logger = logger
  }

  /// Writes a line about what works as it should.
  public func info(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.info, event, fields) }

  /// Writes a line about what works as it should, but is rare enough to be noticed.
  public func notice(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.notice, event, fields) }

  /// Writes a line about what needs attention.
  public func warning(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.warning, event, fields) }

  /// Writes a line about what does not work.
  public func error(_ event: EventKind, _ fields: @autoclosure () -> Fields) { write(.error, event, fields) }

  private func write(_ level: Logger.Level, _ event: EventKind, _ fields: () -> Fields) {
    guard level >= logger.logLevel else { return }
    let fields = fields()
    assert(event.levels.contains(level), "EventKind does not declare the level \(level) for \(event)")
    assert(
      fields.keys.allSatisfy(event.fields.contains),
      "\(event) has fields that EventKind does not declare: \(fields.keys.filter { !event.fields.contains($0) })")
    let metadata = fields.map { (field, value) in (field.name, value.metadata) }
    logger.log(level: level, "\(event.rawValue)", metadata: Logger.Metadata(uniqueKeysWithValues: metadata))
  }
}
