import Configuration
import Foundation
import HTTPWire
import Interception
import Secrets
import SystemPackage
import Testing
import Tokens
import Upstream

@testable import ProxyCore
@testable import Routing

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
    .undecodable("incorrect header check"), .notHTTP(.http2), .notHTTP(.tls), .notHTTP(.unknown),
  ]

  private static let tlsFailures: [TLSFailure] = [
    .distrusted(alert: "unknown_ca"), .closed, .timedOut, .crowded, .plainHTTP, .notTLS,
    .version(offered: "TLS 1.1", minimum: "TLS 1.2"), .oldForm, .incompatible("no cipher"),
    .withoutHTTP11, .certificateMissing, .certificateRefused("expired"), .certificateRevoked("CN=erp"),
    .revocationUnknown("CRL has expired", issuer: "CN=CA"), .broken("bad record mac"), .system(.timedOut),
  ]

  static let all: [ExchangeError] =
    [
      .request(.missingHost), .requestTimeout, .clientGone, .headTooLarge,
      .noRoute(target: "api.test:81", path: nil, nearest: "api.test", credentials: []),
      .noRoute(target: "api.test", path: "/x", nearest: nil, credentials: ["a", "b"]), .notMounted(path: "/x"),
      .leavesRoute(route),
      .connectMethod("connect"), .traceMethod, .listenerClient(address: "10.0.0.1", listener: "0.0.0.0:8080"),
      .forwardingLoop, .browserRequest(sign: "Origin: null", listener: "127.0.0.1:8080"),
      .foreignHost("evil.test", listener: "127.0.0.1:8080"), .routeClient(address: "10.0.0.1", route),
      .methodNotAllowed("PUT", route), .pathNotAllowed("/x", route),
      .ambiguousPath("/%61", .tooMany, route),
      .tokenTimeout(endpoint: "acme.kinde.com"), .upstreamBroken("reset", route), .upstreamTimeout(route),
      .response(.malformedStatusLine, route), .responseIncomplete("cut"), .draining, .tooManyConnections,
      .tooManyHosts(route, ofClient: false), .tooManyHosts(route, ofClient: true), .contentTooLarge(route),
      .outOfTime(route), .clientTooSlow, .upstreamSpokeFirst(route), .tunnelBroken("reset"), .tunnelIdle,
      .noTunnel(to: "api.test", routeName: "api.test"), .tunnelPastRoute(host: "api.test", route),
      .tunnelPort("api.test:22", route), .tunnelOnly(host: "api.test", route),
      .nestedTunnel("x.test:443", inside: "api.test:443"), .passwordNeeded(.route(route)),
      .passwordWrong(.listener("127.0.0.1:8080")), .callerUnknown(.route(route), .baseURL),
      .callerUnknown(.route(route), .proxy), .callerUnknown(.route(route), .tunnel),
      .callerNotAdmitted("erp", .route(route)), .tooManyGuesses(seconds: 6), .passwordsBusy,
      .tokenRequest(method: "GET", route), .tokenRequestTooLarge(route), .tokenRequestWithoutGrant,
      .tokenRequestWithRepetition, .tokenRequest(grant: "password"),
      .misdirected(host: "x.test", tunnel: "api.test:443"), .misdirected(schemeInside: "api.test:443"),
      .misdirected(serverName: "x.test", tunnel: "api.test:443"), .interception(.failed("out of memory")),
      .certificateTimeout, .proxyHeader, .noMemory, .concurrencyQueue(route), .concurrencyWait(route),
      .concurrencyClientShare(route),
    ]
    + [OverrideField.method, .path, .original, .forwardedPath, .prefix, .destination, .source, .accountSource]
    .map { .overrides($0, field: "X-Field", route) }
    + upstreamErrors.map { .upstream($0, route) }
    + tlsFailures.flatMap { [.clientTLS($0, inside: "api.test"), .clientTLS($0, inside: "")] }
    + TokenErrorTests.causes.map { .token(TokenFailure(cause: $0, request: request, secondsToNextAttempt: 7)) }

  @Test("every kind that is declared is among those that are tested", arguments: ErrorKind.all)
  func completeness(_ kind: ErrorKind) {
    #expect(Self.all.contains { $0.kind == kind }, "add an error of the kind \(kind.name) to ExchangeErrorTests.all")
  }

  @Test("every kind has a name of its own for the log and for metrics, and every hop has kinds")
  func names() {
    for kind in ErrorKind.all { #expect(kind.name.wholeMatch(of: /[a-z0-9_]{3,40}/) != nil, "\(kind.name)") }
    #expect(Set(ErrorKind.all.map(\.name)).count == ErrorKind.all.count)
    #expect(Set(Self.all.map(\.kind)).isSubset(of: ErrorKind.all), "a group of kinds is not in ErrorKind.all")
    #expect(Set(ErrorKind.all.map(\.declaration.hop)) == Set(ErrorKind.Hop.allCases))
  }

  @Test("the status of an error is one that its kind declares", arguments: all.indices)
  func declaredStatuses(_ index: Int) {
    let (error, declaration) = (Self.all[index], Self.all[index].kind.declaration)
    #expect(error.status == declaration.status || error.status.map(declaration.otherStatuses.contains) == true)
  }

  @Test("what a request can be rejected for has a status that is declared")
  func requestStatuses() {
    let declaration = ErrorKind.client(.malformedRequest).declaration
    let statuses = WireError.allCases.compactMap { ExchangeError.request($0).status }
    #expect(Set(statuses) == Set(declaration.otherStatuses + [400]))
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

  @Test("every error has a response with a status, a title, what happened and how to fix it", arguments: all.indices)
  func answers(_ index: Int) throws {
    let error = Self.all[index]
    guard let status = error.status else {
      return #expect(
        ["client_gone", "proxy_header", "incomplete_response", "tunnel_broken", "tunnel_idle"].contains(error.kind.name)
          || error.kind.name.hasPrefix("tls_"), "\(error.kind.name) has no response")
    }
    #expect((400...508).contains(status))
    for text in [error.title, error.detail, error.hint] { #expect(text.count > 5, "\(error.kind.name): \(text)") }
    #expect(error.detail.hasSuffix("."), "\(error.detail)")
    #expect([".", "?", "\""].contains(error.hint.suffix(1)), "\(error.hint)")
    // Neither is Markdown: what is said in a document has words of its own.
    #expect(!"\(error.title)\(error.detail)\(error.hint)".contains { "`]".contains($0) }, "\(error.kind.name)")
    #expect(Self.proxyStatusErrors.contains(error.proxyStatus), "\(error.proxyStatus)")
    #expect((error.hop == .client || error.hop == .policy) == (status < 500 || [501, 508].contains(status)))
  }

  @Test("every response is complete HTTP with a readable problem document", arguments: all.indices)
  func responses(_ index: Int) throws {
    let error = Self.all[index]
    guard let status = error.status else { return }
    for (isHead, closes) in [(false, false), (true, false), (false, true)] {
      let response = ErrorResponse(
        error, status: status, route: "orders", requestID: "7f3a", date: "Mon, 23 Nov 2026 12:00:00 GMT",
        isHead: isHead,
        closes: closes)
      var head = ResponseHead()
      var parser = ResponseHeadParser(limits: HeadLimits())
      #expect(try parser.parse(response.bytes.span, into: &head))
      #expect(head.status == status)
      #expect(!head.reason.isEmpty, "\(status) has no reason phrase")
      #expect(head.wantsKeepAlive == !closes)
      let body = response.bytes[head.length...]
      if isHead {
        #expect(body.isEmpty)
        continue
      }
      #expect(head.contentLength == UInt64(body.count))
      let problem = try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
      #expect(problem["status"] as? Int == status)
      #expect(problem["title"] as? String == error.title)
      #expect(problem["detail"] as? String == error.detail)
      #expect(problem["hint"] as? String == error.hint)
      #expect(problem["hop"] as? String == error.hop.rawValue)
      #expect(problem["route"] as? String == "orders")
      #expect(problem["request_id"] as? String == "7f3a")
      #expect(String(decoding: response.bytes, as: UTF8.self).contains(#"; request_id="7f3a"\#r\#n"#))
    }
  }

  @Test("text of a client or an upstream cannot break out of the response")
  func escaping() throws {
    let evil = "a\"b\\c\r\nX-Evil: 1\u{0}\u{1b}\u{7f} ü 漢"
    let error = ExchangeError(
      .upstream(.dns), title: evil, detail: evil, hint: evil, proxyStatusDetails: evil)
    let response = ErrorResponse(
      error, status: 502, route: evil, requestID: nil, date: "Mon, 23 Nov 2026 12:00:00 GMT", isHead: false,
      closes: false)
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
      guard let status = error.status else { return "" }
      let response = ErrorResponse(
        error, status: status, route: nil, requestID: nil, date: "-", isHead: true, closes: false)
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
    let ending = Set(ErrorKind.all.filter(\.declaration.endsConnection).map(\.name)).filter { !$0.hasPrefix("tls_") }
    #expect(
      ending == [
        "malformed_request", "request_timeout", "client_gone", "connect_method", "incomplete_response", "draining",
        "too_many_connections", "memory", "content_too_large", "client_address", "client_too_slow", "tunnel_broken",
        "tunnel_idle", "proxy_header",
      ])
    #expect(Self.tlsFailures.allSatisfy { ExchangeError.clientTLS($0, inside: "").endsConnection })
  }

  @Test("the log has a detail, but for a client that went away and for what the kind says already")
  func logDetails() {
    #expect(
      Set(Self.all.filter { $0.logDetail == nil }.map(\.kind.name)) == ["client_gone", "tunnel_idle", "proxy_header"])
    #expect(ExchangeError.responseIncomplete("cut").logDetail == "cut")
    #expect(ExchangeError.clientTLS(.closed, inside: "api.test").logDetail?.contains("api.test is intercepted") == true)
  }
}
