internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Telemetry

extension Exchange {
  /// How many bytes of content a token request may have: libraries send some hundred.
  static var longestTokenRequest: Int { 64 * 1024 }

  /// The route for whose applications the proxy answers token requests at this very place, if there is one.
  func tokenEndpointRoute(_ target: RequestTarget, _ bytes: Span<UInt8>) -> ProxyRoute? {
    let path = path(of: target, in: bytes)
    if let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      let host = bytes.extracting(authority.host.range)
      if let found = worker.table.tokenEndpoint(host: host, port: port, path: path) { return found }
      guard isForThisListener(target) else { return nil }
    }
    return worker.table.tokenEndpoint(at: path)
  }

  /// Answers a token request with a placeholder, whoever asks: what it is good for is decided by the rules of the
  /// requests that it will be on, where the real token takes its place.
  func answerTokenRequest() async throws(ExchangeError) {
    guard let route else { return }
    let form = TokenRequestForm(try await readTokenRequest(route))
    guard let grant = form.grantType else { throw .tokenRequest(.noGrantType, route) }
    guard !form.hasRepetition else { throw .tokenRequest(.repetition, route) }
    guard grant == "client_credentials" else { throw .tokenRequest(.grantType(grant), route) }
    let token = PlaceholderToken(secondsSince1970: WallClock.now() / 1_000_000_000)
    // Said back, so that libraries that compare find what they asked for.
    let scope = form.scope.flatMap { Self.isScope($0) ? #","scope":"\#($0)""# : nil } ?? ""
    let content =
      #"{"access_token":"\#(token.text)","token_type":"Bearer","expires_in":\#(PlaceholderToken.lifetime)\#(scope)}"#
    worker.metrics.routes[route.index].placeholders.increment()
    await answerHere(
      fields: "Content-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n", content: content)
  }

  /// The content of a token request, which nothing else is done with.
  private func readTokenRequest(_ route: ProxyRoute) async throws(ExchangeError) -> [UInt8] {
    guard head.methodKind == .post else { throw .tokenRequest(.method(text(of: head.method)), route) }
    let limit = UInt64(Self.longestTokenRequest)
    if case .length(let length) = head.framing, length > limit { throw .tokenRequest(.tooLarge, route) }
    upload.begin(
      head.framing, input: bufferForContent(), output: worker.buffers.empty, framing: .untilClose,
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
        if case .tooLarge = error { throw .tokenRequest(.tooLarge, route) }
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

  /// Whether a text consists of scopes (RFC 6749 section 3.3), and is none too long.
  private static func isScope(_ text: String) -> Bool {
    text.utf8.count <= 4096
      && text.utf8.allSatisfy {
        (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
      }
  }
}
