import Configuration
import Foundation
import HTTPWire
import Interception
import Routing
import Secrets
import Testing
import Tokens
import Upstream

@testable import ProxyCore

@Suite struct ExchangeErrorTests {
  private static let route = ProxyRoute(
    Route(name: "orders", upstream: Origin(scheme: .https, host: "orders.test")), index: 0, pool: 0, tokens: .none)

  private static let request = TokenGrant(
    key: TokenRequestKey(
      endpoint: "https://acme.kinde.com/oauth2/token", clientID: "id", authentication: .clientSecretPost,
      audience: "https://orders.test", scopes: []),
    clientSecret: Secret("s3cr3t"), credentialsName: "kinde", provider: .kinde
  ).summary

  static let upstreamErrors: [UpstreamError] = [
    .dns("no such name"), .connect("refused"), .prohibited("link-local"), .privateAddress("10.0.0.1"),
    .ownListener("127.0.0.1, port 8080"),
    .connectTimeout("too long"), .certificate("unknown authority"),
    .clientCertificate("no key"), .parentProxy("unreachable"), .parentProxyRefusal("answered 407", status: 407),
    .parentProxyRefusal("answered 403", status: 403), .parentProxyRefusal("answered 502", status: 502),
    .parentProxyRefusal("answered 302", status: 302),
    .tls("handshake"), .exhausted, .clientShare, .noDescriptors, .broken("reset"), .other("else"),
  ]

  static let all: [ExchangeError] =
    [
      .request(.missingHost), .requestTimeout, .clientGone, .headTooLarge,
      .noRoute(target: "api.test:81", path: nil, nearest: "api.test"),
      .noRoute(target: "api.test", path: "/x", nearest: nil), .notMounted(path: "/x"), .leavesRoute(route),
      .connectMethod("connect"), .traceMethod,
      .denied(.listenerClient(address: "10.0.0.1", listener: "0.0.0.0:8080")),
      .denied(.loop), .denied(.browserRequest(sign: "Origin: null", listener: "127.0.0.1:8080")),
      .denied(.foreignHost("evil.test", listener: "127.0.0.1:8080")),
      .denied(.routeClient(address: "10.0.0.1", route)), .denied(.method("PUT", route)), .denied(.path("/x", route)),
      .token(TokenFailure(cause: .throttled, request: request, secondsToNextAttempt: 7)),
      .tokenTimeout(endpoint: "acme.kinde.com"), .upstreamBroken("reset", route), .upstreamTimeout(route),
      .response(.malformedStatusLine, route), .responseIncomplete("cut", route), .draining,
      .tooManyConnections, .tooManyHosts(route, ofClient: false), .tooManyHosts(route, ofClient: true),
      .contentTooLarge(route), .outOfTime(route), .clientTooSlow(route),
      .denied(.overrides(.method, field: "X-HTTP-Method-Override", route)),
      .upstreamSpokeFirst(route),
      .denied(.overrides(.path, field: "SCRIPT_NAME", route)),
      .denied(.overrides(.original, field: "X-Original-URL", route)),
      .denied(.overrides(.prefix, field: "X-Forwarded-Prefix", route)),
      .denied(.overrides(.destination, field: "Destination", route)),
      .denied(.overrides(.source, field: "x-ms-copy-source", route)),
      .tunnelBroken("reset", route), .tunnelIdle(route),
      .tunnel(.unknownHost("api.test", routeName: "api.test")), .tunnel(.hasRequests(host: "api.test", route)),
      .tunnel(.otherPort(target: "api.test:22", route)), .tunnel(.isTunnel(host: "api.test", route)),
      .caller(.passwordNeeded(.route(route))), .caller(.passwordWrong(.listener("127.0.0.1:8080"))),
      .caller(.unknown(.route(route), .baseURL)), .caller(.unknown(.route(route), .proxy)),
      .caller(.unknown(.route(route), .tunnel)),
      .caller(.notAdmitted(caller: "erp", .route(route))), .caller(.tooManyGuesses(seconds: 6)), .caller(.busy),
      .tokenRequest(.method("GET"), route), .tokenRequest(.tooLarge, route), .tokenRequest(.noGrantType, route),
      .tokenRequest(.repetition, route), .tokenRequest(.grantType("password"), route),
      .tunnel(.nested("x.test:443", inside: "api.test:443")),
      .misdirected(.host("x.test", tunnel: "api.test:443")), .misdirected(.scheme(tunnel: "api.test:443")),
      .misdirected(.serverName("x.test", tunnel: "api.test:443")),
      .clientTLS(.distrusted(alert: "unknown_ca"), inside: "api.test"), .clientTLS(.closed, inside: "api.test"),
      .interception(.failed("out of memory")),
      .proxyHeader, .noMemory,
    ] + upstreamErrors.map { .upstream($0, route) } + PlaceRefusal.allCases.map { .noPlace(route, $0) }

  /// The number of the case. A new case does not compile here until it has one: add it to `all` too.
  private func number(_ error: ExchangeError) -> Int {
    switch error {
    case .request: 0
    case .requestTimeout: 1
    case .clientGone: 2
    case .noRoute: 3
    case .notMounted: 4
    case .leavesRoute: 5
    case .connectMethod: 6
    case .traceMethod: 7
    case .token: 8
    case .tokenTimeout: 9
    case .upstream: 10
    case .upstreamBroken: 11
    case .upstreamTimeout: 12
    case .response: 13
    case .responseIncomplete: 14
    case .headTooLarge: 15
    case .draining: 16
    case .tooManyConnections: 17
    case .contentTooLarge: 18
    case .outOfTime: 19
    case .denied: 20
    case .clientTooSlow: 21
    case .upstreamSpokeFirst: 22
    case .tooManyHosts: 23
    case .noPlace: 24
    case .tunnel: 25
    case .tunnelBroken: 26
    case .tunnelIdle: 27
    case .clientTLS: 28
    case .misdirected: 29
    case .interception: 30
    case .proxyHeader: 31
    case .caller: 32
    case .tokenRequest: 33
    case .noMemory: 34
    }
  }

  @Test("every kind of error is among those that are tested")
  func completeness() {
    #expect(Set(Self.all.map(number)) == Set(0...34))
  }

  @Test("every error has a name for metrics that does not depend on what is in it", arguments: all.indices)
  func kinds(_ index: Int) {
    let kind = Self.all[index].kind
    #expect(kind.wholeMatch(of: /[a-z0-9_]{3,40}/) != nil, "\(kind)")
    #expect(ExchangeError.noRoute(target: "other", path: nil, nearest: nil).kind == "no_route")
    #expect(ExchangeError.request(.bareLineFeed).kind == ExchangeError.request(.missingHost).kind)
  }

  // RFC 9209 section 2.3.
  private static let proxyStatusErrors: Set = [
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_timeout", "http_protocol_error", "proxy_internal_response",
    "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected",
  ]

  @Test("every error is answered with a status, a title, what happened and what helps", arguments: all.indices)
  func answers(_ index: Int) throws {
    let error = Self.all[index]
    guard let answer = error.answer else {
      switch error {
      case .clientGone, .clientTLS, .proxyHeader, .responseIncomplete, .tunnelBroken, .tunnelIdle: return
      default: return #expect(Bool(false), "\(error.kind) has no answer")
      }
    }
    #expect((400...508).contains(answer.status))
    for text in [answer.title, answer.detail, answer.hint] { #expect(text.count > 5, "\(error.kind): \(text)") }
    #expect(answer.detail.hasSuffix("."), "\(answer.detail)")
    #expect([".", "?", "\""].contains(answer.hint.suffix(1)), "\(answer.hint)")
    #expect(Self.proxyStatusErrors.contains(answer.proxyStatus), "\(answer.proxyStatus)")
    #expect(
      (error.hop == .client || error.hop == .policy) == (answer.status < 500 || [501, 508].contains(answer.status)))
  }

  @Test("every answer is a complete HTTP response with a problem that can be read", arguments: all.indices)
  func responses(_ index: Int) throws {
    let error = Self.all[index]
    guard let answer = error.answer else { return }
    for (isHead, closes) in [(false, false), (true, false), (false, true)] {
      let response = ErrorResponse(
        answer, hop: error.hop, route: "orders", date: "Mon, 23 Nov 2026 12:00:00 GMT", isHead: isHead, closes: closes)
      var head = ResponseHead()
      var parser = ResponseHeadParser(limits: HeadLimits())
      #expect(try parser.parse(response.bytes.span, into: &head))
      #expect(head.status == answer.status)
      #expect(head.wantsKeepAlive == !closes)
      let body = response.bytes[head.length...]
      if isHead {
        #expect(body.isEmpty)
        continue
      }
      #expect(head.contentLength == UInt64(body.count))
      let problem = try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
      #expect(problem["status"] as? Int == answer.status)
      #expect(problem["title"] as? String == answer.title)
      #expect(problem["detail"] as? String == answer.detail)
      #expect(problem["hint"] as? String == answer.hint)
      #expect(problem["hop"] as? String == error.hop.rawValue)
      #expect(problem["route"] as? String == "orders")
    }
  }

  @Test("what a client or an upstream said cannot break out of the answer")
  func escaping() throws {
    let evil = "a\"b\\c\r\nX-Evil: 1\u{0}\u{1b}\u{7f} ü 漢"
    let answer = ErrorAnswer(
      status: 502, title: evil, detail: evil, hint: evil, proxyStatus: "dns_error", proxyStatusDetails: evil)
    let response = ErrorResponse(
      answer, hop: .upstream, route: evil, date: "Mon, 23 Nov 2026 12:00:00 GMT", isHead: false, closes: false)
    var head = ResponseHead()
    var parser = ResponseHeadParser(limits: HeadLimits())
    #expect(try parser.parse(response.bytes.span, into: &head))
    let text = String(decoding: response.bytes[..<head.length], as: UTF8.self)
    #expect(!text.contains("\r\nX-Evil"))
    #expect(text.contains(#"; details="a\"b\\cX-Evil: 1  "\#r\#n"#))
    let problem = try #require(
      JSONSerialization.jsonObject(with: Data(response.bytes[head.length...])) as? [String: Any])
    for member in ["title", "detail", "hint", "route"] { #expect(problem[member] as? String == evil) }
  }

  @Test("Retry-After is there when something is known, and Allow beside 405")
  func fields() {
    func head(_ error: ExchangeError) -> String {
      guard let answer = error.answer else { return "" }
      let response = ErrorResponse(answer, hop: error.hop, route: nil, date: "-", isHead: true, closes: false)
      return String(decoding: response.bytes, as: UTF8.self)
    }
    #expect(head(.upstream(.exhausted, Self.route)).contains("\r\nRetry-After: 1\r\n"))
    #expect(head(.upstream(.clientShare, Self.route)).contains("\r\nRetry-After: 1\r\n"))
    let throttled = TokenFailure(cause: .throttled, request: Self.request, secondsToNextAttempt: 7)
    #expect(head(.token(throttled)).contains("\r\nRetry-After: 7\r\n"))
    #expect(!head(.requestTimeout).contains("Retry-After"))
    #expect(head(.traceMethod).contains("\r\nAllow: "))
  }

  @Test("the connection ends where the beginning of the next request is unknown")
  func endings() {
    let ending = Self.all.filter(\.endsConnection).map(number)
    #expect(Set(ending) == [0, 1, 2, 6, 14, 16, 17, 18, 20, 21, 26, 27, 28, 31])
  }
}
