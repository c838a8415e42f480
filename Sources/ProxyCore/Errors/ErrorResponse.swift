internal import Encodings
internal import HTTPWire

/// A complete HTTP/1.1 response that tells a client why its request failed.
struct ErrorResponse {
  /// The value of Allow: the standard methods that are served.
  static let servedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

  // RFC 7617 section 2.1: user and password are UTF-8.
  private static let challenge = #"Basic realm="m2m-proxy", charset="UTF-8""#

  let bytes: [UInt8]

  /// The response for `error`, whose status is `status`.
  ///
  /// - Parameter requestID: the identifier of the request, which needs no escapes; nil where there was no request.
  /// - Parameter isHead: whether the request was HEAD, whose response has fields but no body.
  /// - Parameter closes: whether the connection ends after this response.
  init(
    _ error: ExchangeError, status: Int, route: String?, requestID: String?, date: String, isHead: Bool, closes: Bool
  ) {
    let body = ProblemBody(error, status: status, route: route, requestID: requestID).bytes
    var head = "HTTP/1.1 \(status) \(ReasonPhrase.of(status))\r\n"
    head += "Date: \(date)\r\n"
    let type = error.oauthError == nil ? "application/problem+json" : "application/json"
    head += "Content-Type: \(type)\r\nContent-Length: \(body.count)\r\n"
    head += "Cache-Control: no-store\r\n"
    head += "Proxy-Status: m2m-proxy; error=\(error.proxyStatus)"
    if !error.proxyStatusDetails.isEmpty { head += "; details=\(Self.quoted(error.proxyStatusDetails))" }
    if let requestID { head += "; request_id=\"\(requestID)\"" }
    head += "\r\n"
    if let seconds = error.retryAfter { head += "Retry-After: \(seconds)\r\n" }
    if status == 407 { head += "Proxy-Authenticate: \(Self.challenge)\r\n" }
    if status == 405 { head += "Allow: \(error.allow)\r\n" }
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

  init(_ error: ExchangeError, status: Int, route: String?, requestID: String?) {
    add("title", error.title)
    bytes += Array(", \"status\": \(status)".utf8)
    add("hop", error.hop.rawValue)
    if let route { add("route", route) }
    add("detail", error.detail)
    add("hint", error.hint)
    if let requestID { add("request_id", requestID) }
    if let code = error.oauthError {
      add("error", code)
      add("error_description", error.detail)
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
