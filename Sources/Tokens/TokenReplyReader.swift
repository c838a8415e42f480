internal import Encodings
import Secrets

/// Reads a token endpoint's reply (RFC 6749 sections 5.1 and 5.2).
struct TokenReplyReader {
  let response: TokenHTTPResponse
  let grant: TokenGrant
  /// When the request was sent.
  let sent: TokenMoment
  /// When the reply arrived, in seconds since 1970.
  let received: Int64

  func outcome() -> Result<AccessToken, FailedFetch> {
    do {
      return .success(try token())
    } catch {
      return .failure(FailedFetch(error, serverAsksToWait: serverAsksToWait(after: error)))
    }
  }

  private func token() throws(TokenFailure.Cause) -> AccessToken {
    switch response.status {
    case 200...299: try response.body.withBytes { body throws(TokenFailure.Cause) in try token(in: body) }
    case 300...399: throw .redirected(status: response.status)
    case 429: throw .throttled
    case 400 where grant.key.endpoint.hasPrefix("http:") && wantsTLS: throw .malformed(.notHTTP(.tls))
    case 400...499: throw .refused(refusal())
    case 500...: throw .serverError(status: response.status)
    default: throw .malformed(.unexpectedStatus(response.status))
    }
  }

  /// Whether the reply is what nginx, Apache httpd or Go send for plain HTTP on an https port.
  private var wantsTLS: Bool {
    let text = response.body.withBytes { body in
      String(decoding: body.indices.prefix(2048).map { body[$0] }, as: UTF8.self).lowercased()
    }
    return [
      "plain http request was sent to https port", "http request to an https server", "plain http to an ssl-enabled",
    ]
    .contains { text.contains($0) }
  }

  /// How long the server asks to be left alone. RateLimit-Reset counts with 429 only: otherwise it is just information.
  private func serverAsksToWait(after cause: TokenFailure.Cause) -> Duration? {
    if let field = response.retryAfter {
      if let wait = Seconds.wait(field) { return wait }
      // A date counts from when the reply was made: the time that the server took to reply is not part of the wait.
      if let date = date(field) { return .seconds(max(0, date - (dateOfReply ?? received))) }
    }
    guard cause == .throttled else { return nil }
    return response.rateLimitReset.flatMap(Seconds.wait)
  }

  /// When the reply was made, by the server's own clock if it says, so that a wrong clock here does no harm.
  private var dateOfReply: Int64? { response.date.flatMap(date) }

  private func date(_ field: String) -> Int64? {
    HTTPDate.secondsSince1970(of: field.utf8, now: UInt64(max(0, received))).map { Int64($0) }
  }

  private func token(in body: Span<UInt8>) throws(TokenFailure.Cause) -> AccessToken {
    let members = try object(in: body)
    guard case .string(let range) = members["access_token"], !range.isEmpty else {
      // Some servers send a refusal with status 200.
      guard Self.errorForms.contains(where: { members[$0.code]?.isText == true }) else { throw .malformed(.noToken) }
      throw .refused(refusal(members, body))
    }
    try checkType(members, body)

    let token = try plainToken(body.extracting(range))
    let lifetime = TokenLifetime(
      expiresIn: expiresIn(members, body), claims: token.withBytes { WebToken($0) }, date: dateOfReply,
      sent: sent.wallSeconds)
    guard !lifetime.isExpired else { throw .malformed(.expiredToken) }
    var remarks = lifetime.remarks
    if token.count > AccessToken.longestUsualToken { remarks.append(.longToken(bytes: token.count)) }
    return AccessToken(
      token: token, lifetime: lifetime.duration, requestedAt: sent, isLifetimeAssumed: lifetime.isAssumed,
      remarks: remarks)
  }

  private func object(in body: Span<UInt8>) throws(TokenFailure.Cause) -> JSONObject {
    guard !response.bodyWasCut else { throw .malformed(.tooLong) }
    if let problem = response.decodingProblem { throw .malformed(undecodable(problem)) }
    guard !body.isEmpty else { throw .malformed(.empty) }
    do {
      return try JSONObject(body)
    } catch {
      switch error {
      case .notJSON where isWebPage(body): throw .malformed(.html)
      // A stream that was cut off is decoded up to the cut.
      case .notJSON where response.isEncoded:
        throw .malformed(undecodable("what is decoded is not complete JSON"))
      case .notJSON: throw .malformed(.notJSON)
      case .notAnObject: throw .malformed(.notAnObject)
      case .repeatedMember: throw .malformed(.repeatedMember)
      }
    }
  }

  private func undecodable(_ problem: String) -> MalformedReply {
    let coding = response.contentEncoding.map { PrintableText.cleaned($0.utf8.prefix(40)) }
    return .undecodable(coding: coding, detail: PrintableText.cleaned(problem))
  }

  private func isWebPage(_ body: Span<UInt8>) -> Bool {
    if let type = response.contentType, type.lowercased().hasPrefix("text/html") { return true }
    return body.indices.first { body[$0] > 0x20 }.map { body[$0] == UInt8(ascii: "<") } ?? false
  }

  /// A missing or empty type counts as Bearer: RFC 6749 requires one, but nothing else can be meant. `BearerToken` is
  /// Apigee's name for it.
  private func checkType(_ members: JSONObject, _ body: Span<UInt8>) throws(TokenFailure.Cause) {
    guard !grant.takesAnyTokenType else { return }
    switch members["token_type"] {
    case nil, .null: return
    case .string(let range):
      let type = text(range, body).lowercased().filter { !$0.isWhitespace }
      guard ["", "bearer", "bearertoken"].contains(type) else { throw .malformed(.unsupportedTokenType) }
    default: throw .malformed(.unsupportedTokenType)
    }
  }

  /// The token without JSON's escapes: visible ASCII, which covers the b64token of RFC 6750 and what is in use beyond it.
  private func plainToken(_ escaped: Span<UInt8>) throws(TokenFailure.Cause) -> Secret {
    var writer = SecretWriter(capacity: escaped.count)
    var suitable = true
    JSONText.unescape(escaped) { byte in
      suitable = suitable && (0x21...0x7E).contains(byte)
      writer.append(byte)
    }
    guard suitable else { throw .malformed(.unsuitableToken) }
    guard writer.count <= AccessToken.longestToken else { throw .malformed(.tokenTooLong) }
    return writer.secret()
  }

  private func expiresIn(_ members: JSONObject, _ body: Span<UInt8>) -> Double? {
    switch members["expires_in"] {
    case .number(let range), .string(let range): Seconds.number(body.extracting(range))
    default: nil
    }
  }

  private func text(_ range: Range<Int>, _ body: Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    JSONText.unescape(body.extracting(range)) { bytes.append($0) }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension JSONObject.Value {
  fileprivate var isText: Bool {
    if case .string = self { true } else { false }
  }
}

extension TokenHTTPResponse {
  /// Whether the body has a content coding.
  fileprivate var isEncoded: Bool {
    guard let coding = contentEncoding else { return false }
    return !["", "identity"].contains(coding.lowercased())
  }
}

extension TokenReplyReader {
  /// The refusal of a reply with an error status, whatever its body.
  func refusal() -> OAuthRefusal {
    response.body.withBytes { body in
      guard !response.bodyWasCut else { return refusalWithoutCode }
      do {
        return refusal(try JSONObject(body), body)
      } catch {
        // Not every rejection comes from an OAuth server; then there is only the status.
        return refusalWithoutCode
      }
    }
  }

  /// The members in which servers put the error code, and the sentence about it: RFC 6749, Apigee, Okta.
  private static let errorForms: [(code: String, description: String)] = [
    ("error", "error_description"), ("ErrorCode", "Error"), ("errorCode", "errorSummary"),
  ]

  /// The refusal that `members` of `body` describe.
  func refusal(_ members: JSONObject, _ body: Span<UInt8>) -> OAuthRefusal {
    // Frameworks and gateways that reply instead of the authorization server, such as Spring, send only a message.
    let message = printable(members["message"], body)
    for form in Self.errorForms {
      guard let reported = printable(members[form.code], body) else { continue }
      return OAuthRefusal(
        code: OAuthErrorCode(reported), reportedCode: reported,
        description: printable(members[form.description], body) ?? message, status: response.status)
    }
    return OAuthRefusal(code: .other, reportedCode: nil, description: message, status: response.status)
  }

  private var refusalWithoutCode: OAuthRefusal {
    OAuthRefusal(code: .other, reportedCode: nil, description: nil, status: response.status)
  }

  private func printable(_ value: JSONObject.Value?, _ body: Span<UInt8>) -> String? {
    guard case .string(let range) = value else { return nil }
    var text: [UInt8] = []
    JSONText.unescape(body.extracting(range)) { text.append($0) }
    guard !repeatsSecret(text) else { return nil }
    let cleaned = PrintableText.cleaned(text)
    return cleaned.isEmpty ? nil : cleaned
  }

  /// Whether `text` contains the client's secret in any form in which it was sent.
  private func repeatsSecret(_ text: [UInt8]) -> Bool {
    [grant.clientSecret, grant.formEncodedSecret(), grant.basicCredentials(prefix: "")].contains { secret in
      secret.withBytes { secret in
        secret.count > 0 && text.count >= secret.count
          && (0...(text.count - secret.count)).contains { start in
            secret.indices.allSatisfy { secret[$0] == text[start + $0] }
          }
      }
    }
  }
}
