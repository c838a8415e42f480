/// Why an exchange did not end with the upstream's response. Each error becomes a response, a log line and a count, in one
/// place each.
///
/// A function or constant of its kind makes an error, such as ``contentTooLarge(_:)``. These are next to the
/// declaration of the kind, in the other files of this folder. A class, so that a throwing function returns only a
/// pointer.
final class ExchangeError: Error {
  let kind: ErrorKind
  /// The status of the response; nil if there is none.
  let status: Int?
  /// What happened, in a few words: the title of an RFC 9457 problem.
  let title: String
  /// What exactly happened, for the client.
  let detail: String
  /// How to fix it, for the client.
  let hint: String
  /// The error type of RFC 9209 section 2.3 for `Proxy-Status`.
  let proxyStatus: String
  /// The `details` of `Proxy-Status`; empty for none.
  let proxyStatusDetails: String
  /// The seconds after which a new attempt may help; nil if that is unknown.
  let retryAfter: Int?
  /// The error code of RFC 6749 section 5.2, in the response to a token request; nil for none.
  let oauthError: String?
  /// The methods that are served, for a response with status 405.
  let allow: String
  /// The limit of proxy.conf that was reached; nil if it was something else.
  let limit: Limit?
  /// What the log says besides the kind.
  let logDetail: String?

  /// An error of `kind`. Arguments left out are as declared; the detail is the kind's meaning, and the hint its remedy.
  init(
    _ kind: ErrorKind, status: Int? = nil, title: String? = nil, detail: String? = nil, hint: String? = nil,
    proxyStatus: String? = nil, proxyStatusDetails: String? = nil, retryAfter: Int? = nil, oauthError: String? = nil,
    allow: String = ErrorResponse.servedMethods, limit: Limit? = nil
  ) {
    let declaration = kind.declaration
    self.kind = kind
    self.status = status ?? declaration.status
    self.title = title ?? declaration.title
    self.detail = detail ?? Self.plain(declaration.meaning)
    self.hint = hint ?? Self.plain(declaration.remedy)
    self.proxyStatus = proxyStatus ?? declaration.proxyStatus
    self.proxyStatusDetails = proxyStatusDetails ?? declaration.details
    self.retryAfter = retryAfter ?? (declaration.status == 503 ? 1 : nil)
    self.oauthError = oauthError
    self.allow = allow
    self.limit = limit ?? declaration.limit
    logDetail = declaration.status == nil ? detail : self.detail
  }

  /// The text of `markdown`, which is a cell of docs/operations.md: without its backquotes, and with the name of that document
  /// where it refers to another part of it.
  static func plain(_ markdown: String) -> String {
    let text = String(decoding: markdown.utf8.filter { $0 != UInt8(ascii: "`") }, as: UTF8.self)
    guard let open = text.firstIndex(of: "["), let middle = text[open...].firstIndex(of: "]"),
      let close = text[middle...].firstIndex(of: ")")
    else { return text }
    return "\(text[..<open])\"\(text[open..<middle].dropFirst())\" in docs/operations.md\(text[close...].dropFirst())"
  }

  /// The side that failed.
  var hop: ErrorKind.Hop { kind.declaration.hop }

  /// Whether the connection to the client cannot be used again.
  var endsConnection: Bool { kind.declaration.endsConnection }
}
