// NTLM and related schemes break a rule of HTTP: they authenticate the connection, and the server treats every later request on
// it as one of the user who logged on (RFC 4559 section 6). A proxy must not share such a connection between clients.
//
// Servers know more of these schemes, and more names for them, than any list could have. So this file lists the schemes that
// are known to authenticate a single request, and treats any other scheme as one that authenticates the connection.

/// What a response says about a scheme that authenticates connections.
public enum ConnectionChallenge: Sendable {
  /// Nothing.
  case none
  /// It offers such a scheme. No client has logged on with it.
  case offer
  /// It carries the server's part of a handshake (`NTLM TlRM…`): the server has started or completed a logon on this
  /// connection.
  case handshake
}

extension RequestHead {
  /// Whether the client sends credentials that may authenticate the connection: an `Authorization` field with a scheme that is
  /// not known to authenticate a single request.
  ///
  /// Repeated fields and comma-separated values all count, since servers differ in which of them they read.
  public func authenticatesConnection(_ bytes: Span<UInt8>) -> Bool {
    for line in fields where line.known == .authorization {
      var elements = ListElements(line.value)
      var quotes = QuotedStrings(line.value)
      var isFirst = true
      var isUncertain = false
      while let element = elements.next(bytes) {
        if element.isEmpty { continue }
        defer { isFirst = false }
        let scheme = bytes.scheme(element)
        // The first word of the field is a scheme, whatever it looks like.
        if bytes.isAboutRequest(scheme, to: Int(element.end)) { continue }
        if isFirst || bytes.authenticatesConnections(scheme) { return true }
        // Other elements are parameters of that scheme, or parts of them: a comma inside a quoted string separates elements
        // too.
        guard !bytes.isParameter(after: Int(scheme.end), to: Int(element.end)) else { continue }
        if !quotes.isOpen(at: Int(element.start), bytes) { return true }
        isUncertain = true
      }
      // A string that never ends is not a quoted string.
      if isUncertain, quotes.isOpen(at: Int(line.value.end), bytes) { return true }
    }
    return false
  }
}

extension ResponseHead {
  /// What the `WWW-Authenticate` fields say about schemes that authenticate connections. Data after a scheme that is not known
  /// to authenticate a single request is taken for the server's part of a handshake.
  public func connectionChallenge(_ bytes: Span<UInt8>) -> ConnectionChallenge {
    var found = ConnectionChallenge.none
    for line in fields where line.known == .wwwAuthenticate {
      var elements = ListElements(line.value)
      var quotes = QuotedStrings(line.value)
      while let element = elements.next(bytes) {
        if element.isEmpty { continue }
        let scheme = bytes.scheme(element)
        let isNamed = bytes.authenticatesConnections(scheme)
        if bytes.isToken68(after: Int(scheme.end), to: Int(element.end)),
          isNamed || !bytes.isAboutRequest(scheme, to: Int(element.end)),
          isNamed || !quotes.isOpen(at: Int(element.start), bytes)
        {
          return .handshake
        }
        if isNamed { found = .offer }
      }
    }
    return found
  }
}

/// The error of a Bearer challenge (RFC 6750 section 3).
public struct BearerError: Sendable, Equatable {
  /// `error`: `invalid_token`, `insufficient_scope`, or another word.
  public let code: String
  /// `error_description`; nil if it is missing.
  public let description: String?
  /// `scope`: the scopes that the request needs (RFC 6750 section 3), with spaces between them; nil where there is none.
  public let scope: String?

  private static let longest = 200

  fileprivate init?(code: String?, description: String?, scope: String?) {
    guard let code else { return nil }
    self.code = Self.printable(code)
    self.description = description.map(Self.printable)
    self.scope = scope.map(Self.printable)
  }

  private static func printable(_ text: String) -> String {
    String(
      decoding: text.utf8.prefix(longest).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}

extension ResponseHead {
  /// The first Bearer challenge that has an `error`.
  public func bearerError(_ bytes: Span<UInt8>) -> BearerError? {
    for line in fields where line.known == .wwwAuthenticate {
      var reader = ChallengeReader(bytes, line.value)
      if let error = reader.bearerError() { return error }
    }
    return nil
  }
}

/// Reads the Bearer challenges of a `WWW-Authenticate` field (RFC 9110 section 11.6.1).
private struct ChallengeReader {
  private let text: [UInt8]
  private var position = 0

  init(_ bytes: Span<UInt8>, _ value: ByteRange) {
    text = value.range.map { bytes[$0] }
  }

  mutating func bearerError() -> BearerError? {
    var isBearer = false
    var parameters: [String: String] = [:]
    while position < text.count {
      skip { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      let name = word()
      guard !name.isEmpty else {
        position += 1
        continue
      }
      skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      if position < text.count, text[position] == UInt8(ascii: "=") {
        position += 1
        skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let value = value()
        if isBearer, parameters[name] == nil { parameters[name] = value }
      } else {
        // The name of the next scheme.
        if isBearer, let found = Self.error(parameters) { return found }
        isBearer = name == "bearer"
        parameters = [:]
      }
    }
    return isBearer ? Self.error(parameters) : nil
  }

  private static func error(_ parameters: [String: String]) -> BearerError? {
    BearerError(code: parameters["error"], description: parameters["error_description"], scope: parameters["scope"])
  }

  private mutating func skip(_ isSkipped: (UInt8) -> Bool) {
    while position < text.count, isSkipped(text[position]) { position += 1 }
  }

  private mutating func word() -> String {
    let start = position
    while position < text.count, !" \t,=\"".utf8.contains(text[position]) { position += 1 }
    return String(decoding: text[start..<position], as: UTF8.self).lowercased()
  }

  private mutating func value() -> String {
    guard position < text.count, text[position] == UInt8(ascii: "\"") else {
      let start = position
      while position < text.count, !" \t,".utf8.contains(text[position]) { position += 1 }
      return String(decoding: text[start..<position], as: UTF8.self)
    }
    position += 1
    var unquoted: [UInt8] = []
    while position < text.count, text[position] != UInt8(ascii: "\"") {
      if text[position] == UInt8(ascii: "\\"), position + 1 < text.count { position += 1 }
      unquoted.append(text[position])
      position += 1
    }
    position += 1
    return String(decoding: unquoted, as: UTF8.self)
  }
}

/// The positions of the quoted strings in a field's value.
private struct QuotedStrings {
  private var position: Int
  private let start: Int
  private var isInside = false

  init(_ value: ByteRange) {
    start = Int(value.start)
    position = start
  }

  /// Whether `offset` is inside a quoted string. Offsets must not decrease from call to call. Only a quote after "=" opens a
  /// string.
  mutating func isOpen(at offset: Int, _ bytes: Span<UInt8>) -> Bool {
    while position < offset {
      let byte = bytes[position]
      if isInside, byte == UInt8(ascii: "\\") {
        position += 1
      } else if byte == UInt8(ascii: "\""), isInside || position > start && bytes[position - 1] == UInt8(ascii: "=") {
        isInside.toggle()
      }
      position += 1
    }
    return isInside
  }
}

/// Schemes that authenticate a single request: those registered at IANA, and those of widely used services. In lower case;
/// Basic, Bearer and Digest are compared first, elsewhere.
private let schemesOfRequests: [StaticString] = [
  // IANA HTTP Authentication Scheme Registry, without Negotiate.
  "concealed", "dpop", "gnap", "hoba", "mutual", "oauth", "privatetoken", "scram-sha-1", "scram-sha-256", "vapid",
  // Signatures of requests.
  "aws", "aws3", "aws3-https", "aws4-hmac-sha256", "aws4-ecdsa-p256-sha256", "goog1", "goog4-hmac-sha256",
  "goog4-rsa-sha256", "acs3-hmac-sha256", "oss4-hmac-sha256", "tc3-hmac-sha256", "sdk-hmac-sha256", "hmac-sha256",
  "hmac",
  "eddsa", "hawk", "mac", "signature", "sharedkey", "sharedkeylite", "sharedaccesssignature", "wsse",
  // Keys and tokens.
  "apikey", "api-key", "bot", "client-id", "geniekey", "googlelogin", "jwt", "key", "snowflake", "splunk", "ssws",
  "token",
  "zoho-oauthtoken",
]

extension Span<UInt8> {
  /// The name of the scheme at the beginning of `element`; empty if there is none.
  fileprivate func scheme(_ element: ByteRange) -> ByteRange {
    let start = Int(element.start)
    return ByteRange(start..<firstNotToken(from: start, to: Int(element.end)))
  }

  /// Whether `scheme`, in an element that ends at `end`, is known to authenticate a single request.
  fileprivate func isAboutRequest(_ scheme: ByteRange, to end: Int) -> Bool {
    let next = Int(scheme.end)
    // With another character after it, a careless parser may read another name.
    guard next == end || self[next] == space || self[next] == tab else { return false }
    switch scheme.count {
    case 5 where equals("basic", ignoringCaseAt: scheme): return true
    case 6 where equals("bearer", ignoringCaseAt: scheme) || equals("digest", ignoringCaseAt: scheme): return true
    default: return schemesOfRequests.contains { equals($0, ignoringCaseAt: scheme) }
    }
  }

  /// Whether `scheme` is known to authenticate connections.
  ///
  /// In requests and challenges these names count even inside quoted strings. A realm that looks like one then only keeps its
  /// connection out of the pool.
  fileprivate func authenticatesConnections(_ scheme: ByteRange) -> Bool {
    switch scheme.count {
    case 4: equals("ntlm", ignoringCaseAt: scheme)
    case 5: equals("nego2", ignoringCaseAt: scheme) || equals("pku2u", ignoringCaseAt: scheme)
    case 6: equals("spnego", ignoringCaseAt: scheme) || equals("negoex", ignoringCaseAt: scheme)
    case 7: equals("credssp", ignoringCaseAt: scheme) || equals("livessp", ignoringCaseAt: scheme)
    case 8: equals("kerberos", ignoringCaseAt: scheme)
    case 9: equals("negotiate", ignoringCaseAt: scheme)
    case 10: equals("kerberosv5", ignoringCaseAt: scheme)
    case 13: equals("gss-negotiate", ignoringCaseAt: scheme)
    default: false
    }
  }

  /// Whether "=" follows a name, so that it is a parameter's name.
  fileprivate func isParameter(after start: Int, to end: Int) -> Bool {
    let first = firstNotBlank(from: start, to: end)
    return first < end && self[first] == UInt8(ascii: "=")
  }

  /// Whether data follows the scheme's name (token68, RFC 9110 section 11.2), and not nothing, or parameters.
  fileprivate func isToken68(after start: Int, to end: Int) -> Bool {
    let first = firstNotBlank(from: start, to: end)
    guard first > start, first < end else { return false }
    var position = first
    while position < end, isToken68Byte(self[position]) { position += 1 }
    guard position > first else { return false }
    while position < end, self[position] == UInt8(ascii: "=") { position += 1 }
    return position == end
  }

  private func isToken68Byte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~+/".utf8.contains(byte)
    }
  }
}
