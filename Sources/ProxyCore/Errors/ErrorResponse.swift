internal import Encodings
internal import HTTPWire

/// What a client is told when its request failed: the members of an RFC 9457 problem, and the fields beside it.
struct ErrorAnswer {
  var status: Int
  var title: String
  var detail: String
  var hint: String
  /// The error type of RFC 9209 section 2.3 for `Proxy-Status`.
  var proxyStatus: String
  /// The `details` of `Proxy-Status`; empty for none.
  var proxyStatusDetails = ""
  /// Seconds after which trying again may help; nil where nothing is known.
  var retryAfter: Int?
  /// The error code of RFC 6749 section 5.2, in a response to a token request; nil for none.
  var oauthError: String?
  /// The methods that would be served, beside 405.
  var allow = ErrorResponse.servedMethods
}

/// A complete HTTP/1.1 response that tells a client why its request failed.
struct ErrorResponse {
  /// The value of Allow: the standard methods that are served.
  static let servedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

  // RFC 7617, section 2.1: user and password are UTF-8.
  private static let challenge = #"Basic realm="m2m-proxy", charset="UTF-8""#

  let bytes: [UInt8]

  /// - Parameter isHead: whether the request was HEAD, whose response has fields but no content.
  /// - Parameter closes: whether the connection ends after this response.
  init(
    _ answer: ErrorAnswer, hop: ExchangeError.Hop, route: String?, date: String, isHead: Bool, closes: Bool
  ) {
    let body = ProblemBody(answer, hop: hop, route: route).bytes
    var head = "HTTP/1.1 \(answer.status) \(ReasonPhrase.of(answer.status))\r\n"
    head += "Date: \(date)\r\n"
    let type = answer.oauthError == nil ? "application/problem+json" : "application/json"
    head += "Content-Type: \(type)\r\nContent-Length: \(body.count)\r\n"
    head += "Cache-Control: no-store\r\n"
    head += "Proxy-Status: m2m-proxy; error=\(answer.proxyStatus)"
    if !answer.proxyStatusDetails.isEmpty { head += "; details=\(Self.quoted(answer.proxyStatusDetails))" }
    head += "\r\n"
    if let seconds = answer.retryAfter { head += "Retry-After: \(seconds)\r\n" }
    if answer.status == 407 { head += "Proxy-Authenticate: \(Self.challenge)\r\n" }
    if answer.status == 405 { head += "Allow: \(answer.allow)\r\n" }
    if closes { head += "Connection: close\r\n" }
    head += "\r\n"
    bytes = Array(head.utf8) + (isHead ? [] : body)
  }

  // A string of RFC 8941: printable ASCII, with quotes and backslashes escaped.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars where (0x20...0x7e).contains(scalar.value) {
      if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }
}

/// The JSON of an RFC 9457 problem.
struct ProblemBody {
  private(set) var bytes: [UInt8] = Array("{".utf8)

  init(_ answer: ErrorAnswer, hop: ExchangeError.Hop, route: String?) {
    add("title", answer.title)
    bytes += Array(", \"status\": \(answer.status)".utf8)
    add("hop", hop.rawValue)
    if let route { add("route", route) }
    add("detail", answer.detail)
    add("hint", answer.hint)
    if let error = answer.oauthError {
      add("error", error)
      add("error_description", answer.detail)
    }
    bytes += Array("}\n".utf8)
  }

  private mutating func add(_ name: String, _ value: String) {
    if bytes.count > 1 { bytes += Array(", ".utf8) }
    bytes += Array("\"\(name)\": \"".utf8)
    JSONText.escape(value.utf8.span) { bytes.append($0) }
    bytes.append(UInt8(ascii: "\""))
  }
}
