/// A kind of error that ends a request, a tunnel, or a connection before its first request.
///
/// Its name is `error=` in the access log and `kind=` in the metric `m2m_proxy_errors_total`. Each kind is declared once, in
/// the file of its group, together with the functions that make errors of that kind. docs/operations.md lists all of them, and
/// scripts/update-documents writes that list. To add a kind: add a case with its declaration, and a function or constant that
/// makes the error, in one of those files; throw it in a phase; add one to `ExchangeErrorTests.all`.
enum ErrorKind: Hashable {
  case client(Client)
  case clientTLS(ClientTLS)
  case tokenRequest(TokenRequest)
  case route(Route)
  case rule(Rule)
  case caller(Caller)
  case token(Token)
  case upstream(Upstream)
  case `internal`(Internal)

  /// The side that failed.
  enum Hop: String, CaseIterable {
    case client, policy, token, upstream, `internal`

    /// The error type of RFC 9209 section 2.3 for kinds that declare no other.
    var proxyStatus: String {
      switch self {
      case .client: "http_request_error"
      case .policy: "http_request_denied"
      case .token: "proxy_internal_response"
      case .upstream: "destination_unavailable"
      case .internal: "proxy_internal_error"
      }
    }
  }

  /// All kinds.
  static let all: [ErrorKind] =
    Client.allCases.map(client) + ClientTLS.allCases.map(clientTLS) + TokenRequest.allCases.map(tokenRequest)
    + Route.allCases.map(route) + Rule.allCases.map(rule) + Caller.allCases.map(caller) + Token.allCases.map(token)
    + Upstream.allCases.map(upstream) + Internal.allCases.map(`internal`)

  /// The name in the log and in metrics.
  var name: String { member.rawValue }

  /// What all errors of this kind have in common.
  var declaration: ErrorDeclaration { member.declaration }

  private var member: any ErrorKindGroup {
    switch self {
    case .client(let kind): kind
    case .clientTLS(let kind): kind
    case .tokenRequest(let kind): kind
    case .route(let kind): kind
    case .rule(let kind): kind
    case .caller(let kind): kind
    case .token(let kind): kind
    case .upstream(let kind): kind
    case .internal(let kind): kind
    }
  }
}

/// Kinds of errors that are declared in one file. The raw value is the name of the kind.
protocol ErrorKindGroup: CaseIterable, Hashable, Sendable {
  var rawValue: String { get }
  var declaration: ErrorDeclaration { get }
}

/// What all errors of a kind have in common. An error can replace what its initializer takes (``ExchangeError``).
struct ErrorDeclaration {
  /// The side that failed.
  let hop: ErrorKind.Hop
  /// The status of the response; nil if there is none, since the client is gone or has part of another response.
  let status: Int?
  /// Statuses that an error of this kind can have instead of `status`.
  let otherStatuses: [Int]
  /// What happened, in a few words: the title of an RFC 9457 problem.
  let title: String
  /// The error type of RFC 9209 section 2.3 for `Proxy-Status`.
  let proxyStatus: String
  /// The `details` of `Proxy-Status`; empty for none.
  let details: String
  /// Whether the connection to the client cannot be used again: it is unknown where its next request begins, or whether
  /// the connection still exists. After a CONNECT, rejected or not, bytes for the tunnel may follow (RFC 9931).
  let endsConnection: Bool
  /// The limit of proxy.conf that was reached; nil if it was something else.
  let limit: Limit?
  /// What happened, for operators: one sentence, a cell in docs/operations.md.
  let meaning: String
  /// How to fix it, for operators: a cell too.
  let remedy: String

  /// A kind of error with a response; `proxyStatus` is that of the hop unless given.
  init(
    _ hop: ErrorKind.Hop, status: Int, otherStatuses: [Int] = [], title: String, proxyStatus: String? = nil,
    details: String = "", endsConnection: Bool = false, limit: Limit? = nil, meaning: String, remedy: String
  ) {
    self.hop = hop
    self.status = status
    self.otherStatuses = otherStatuses
    self.title = title
    self.proxyStatus = proxyStatus ?? hop.proxyStatus
    self.details = details
    self.endsConnection = endsConnection
    self.limit = limit
    self.meaning = meaning
    self.remedy = remedy
  }

  /// A kind of error without a response; the connection ends.
  init(withoutResponse hop: ErrorKind.Hop, meaning: String, remedy: String) {
    self.hop = hop
    self.meaning = meaning
    self.remedy = remedy
    status = nil
    otherStatuses = []
    (title, proxyStatus, details) = ("", "", "")
    endsConnection = true
    limit = nil
  }
}
