internal import Bytes
internal import Cryptography
internal import Encodings
internal import HTTPWire
internal import Reactor
internal import Routing
internal import Telemetry

extension Exchange {
  /// How long the body of a token request may be, in bytes: libraries send a few hundred.
  static var longestTokenRequest: Int { 64 * 1024 }

  /// The route whose token endpoint for applications is at this target, if there is one.
  func tokenEndpointRoute(_ target: RequestTarget, _ bytes: Span<UInt8>) -> ProxyRoute? {
    let path = path(of: target, in: bytes)
    if let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      let host = bytes.extracting(authority.host.range)
      if let found = generation.table.tokenEndpoint(host: host, port: port, path: path) {
        return generation.routes[found]
      }
      guard isForThisListener(target) else { return nil }
    }
    return generation.table.tokenEndpoint(at: path).map { generation.routes[$0] }
  }

  /// Responds to a token request with a placeholder, for any client: the rules for the requests that will carry the
  /// placeholder decide what it can be used for; there the real token replaces it.
  func answerTokenRequest(_ route: ProxyRoute) async throws(ExchangeError) {
    let form = TokenRequestForm(try await readTokenRequest(route))
    guard let grant = form.grantType else { throw .tokenRequestWithoutGrant }
    guard !form.hasRepetition else { throw .tokenRequestWithRepetition }
    guard grant == "client_credentials" else { throw .tokenRequest(grant: grant) }
    let token = PlaceholderToken(secondsSince1970: WallClock.now() / 1_000_000_000)
    // Returned for libraries that compare it with what they requested.
    let scope = form.scope.flatMap { Self.isScope($0) ? #","scope":"\#($0)""# : nil } ?? ""
    let content =
      #"{"access_token":"\#(token.text)","token_type":"Bearer","expires_in":\#(PlaceholderToken.lifetime)\#(scope)}"#
    local.routes[route.index].placeholders.increment()
    await answerHere(
      fields: "Content-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n", content: content)
  }

  /// The body of a token request, which is not forwarded.
  private func readTokenRequest(_ route: ProxyRoute) async throws(ExchangeError) -> [UInt8] {
    guard head.methodKind == .post else { throw .tokenRequest(method: text(of: head.method), route) }
    let limit = UInt64(Self.longestTokenRequest)
    if case .length(let length) = head.framing, length > limit { throw .tokenRequestTooLarge(route) }
    upload.begin(
      head.framing, input: bufferForContent(), output: buffers.empty, framing: .untilClose,
      passesTrailers: false, limit: limit)
    takeEarlyContent()
    if head.expectsContinue, upload.input.isEmpty, !upload.decoder.isFinished,
      !(await send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)))
    {
      throw .clientGone
    }
    let content = CollectedContent()
    renewDeadline(route)
    while true {
      let progress: BodyRelay.Progress
      do throws(BodyRelay.Failure) {
        progress = try upload.step(from: connection.stream, to: content)
      } catch {
        if case .tooLarge = error { throw .tokenRequestTooLarge(route) }
        throw uploadError(error)
      }
      if upload.isFinished { return content.bytes }
      if progress.hasMoved { renewDeadline(route) }
      if progress.hasMore {
        try await takeTurns(overdue: .requestTimeout)
      } else {
        try await waitForUpload(route)
      }
    }
  }

  /// Whether a text consists of scopes (RFC 6749 section 3.3), and is not too long.
  private static func isScope(_ text: String) -> Bool {
    text.utf8.count <= 4096
      && text.utf8.allSatisfy {
        (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
      }
  }
}

/// The parts of a token request that matter for a placeholder; the client and its secret do not.
struct TokenRequestForm {
  /// The requested grant; nil if the body names none, or is not a form.
  private(set) var grantType: String?
  /// The requested scopes.
  private(set) var scope: String?
  /// Whether one of the two occurs twice, which is not allowed (RFC 6749 section 3.2).
  private(set) var hasRepetition = false

  /// Reads a form (`application/x-www-form-urlencoded`).
  init(_ content: [UInt8]) {
    for field in content.split(separator: UInt8(ascii: "&")) {
      let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      switch Self.decoded(parts[0]) {
      case "grant_type": grantType = taken(parts[1], after: grantType)
      case "scope": scope = taken(parts[1], after: scope)
      default: continue
      }
    }
  }

  private mutating func taken(_ value: ArraySlice<UInt8>, after earlier: String?) -> String? {
    if earlier != nil { hasRepetition = true }
    // A parameter without a value counts as missing.
    return value.isEmpty ? earlier : Self.decoded(value)
  }

  private static func decoded(_ text: ArraySlice<UInt8>) -> String {
    String(decoding: PercentEncoding.decode(text, plusIsSpace: true, malformed: .kept) ?? [], as: UTF8.self)
  }
}

/// A placeholder for a token: given to applications that fetch a token themselves. The proxy replaces it by the real one.
///
/// It has the shape of a JSON Web Token, since some libraries read the expiry from theirs. It is not signed, names no
/// client, no audience and no scope, and is the same for all clients: docs/decisions/0009-placeholder-tokens.md.
struct PlaceholderToken {
  /// The lifetime that it states, in seconds.
  static let lifetime: UInt64 = 3600

  /// The placeholder, as in a header field.
  let text: String

  init(secondsSince1970 now: UInt64) {
    let claims = """
      {"iss":"m2m-proxy","sub":"placeholder","iat":\(now),"exp":\(now + Self.lifetime),\
      "note":"worthless: the proxy puts the real token in its place"}
      """
    text = "\(Self.header).\(Base64.url.encode(Array(claims.utf8))).\(Self.signature)"
  }

  // A real algorithm: some verifiers accept "none".
  private static let header = Base64.url.encode(Array(#"{"alg":"RS256","typ":"JWT","kid":"placeholder"}"#.utf8))
  private static let signature = Base64.url.encode(Array("this is a placeholder and no signature".utf8))
}

/// Collects a body that is not forwarded.
final class CollectedContent: ByteStream {
  private(set) var bytes: [UInt8] = []

  override func send(from buffer: ByteBuffer, limit: Int) -> IOResult {
    let count = min(buffer.count, limit)
    let sent = buffer.readableBytes.extracting(first: count)
    for index in sent.indices { bytes.append(sent[index]) }
    buffer.consume(count)
    return .transferred(count)
  }
}
