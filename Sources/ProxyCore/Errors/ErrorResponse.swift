internal import HTTPWire

/// A complete HTTP/1.1 response that tells a client why its request failed.
struct ErrorResponse {
  /// The value of Allow: what is served of the methods that everybody knows.
  static let servedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

  // RFC 7617, section 2.1: user and password are UTF-8.
  private static let challenge = #"Basic realm="m2m-proxy", charset="UTF-8""#

  let bytes: [UInt8]

  /// - Parameter isHead: whether the request was HEAD, whose answer has fields but no content.
  /// - Parameter closes: whether the connection ends after this answer.
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
