internal import Configuration
internal import Locks
internal import Outbound
internal import Reactor
internal import Secrets
internal import Tokens
internal import Upstream

// Sendable because the client is used on the loop's thread only: `send` is for its tasks.
/// Carries the requests of the token module to token endpoints, on one event loop.
final class TokenHTTPClient: @unchecked Sendable {
  private let loop: EventLoop
  private let client: HTTPClient
  private let ways: TokenConnectionOptions

  /// - Parameter ways: how connections are made, by ``TokenHTTPRequest/way``.
  init(loop: EventLoop, dialer: Dialer, ways: TokenConnectionOptions) {
    self.loop = loop
    self.ways = ways
    client = HTTPClient(dialer: dialer)
  }

  /// Starts `work`, which may call ``send(_:)``, on the loop.
  func launch(_ work: @escaping @Sendable () async -> Void) {
    loop.start(work)
  }

  /// Makes `call` on the loop after `delay`, which does not count while the machine is suspended.
  func schedule(_ delay: Duration, _ call: @escaping @Sendable () -> Void) {
    loop.perform { [loop] in
      let timer = LoopTimer()
      timer.action = { [unowned timer] in
        loop.retire(timer)
        call()
      }
      loop.set(timer, to: .now + delay)
    }
  }

  /// Sends `request` and waits for the whole reply. From a task of the loop.
  func send(_ request: TokenHTTPRequest) async -> Result<TokenHTTPResponse, TokenTransportError> {
    var lines = request.fields.map(Self.line)
    // Firewalls in front of authorization servers reject requests without a User-Agent.
    if !request.fields.contains(where: { $0.name.lowercased() == "user-agent" }) {
      lines.append("User-Agent: m2m-proxy/\(Product.version)")
    }
    let posted = ClientRequest(
      url: request.url, fieldLines: lines, body: request.body.withBytes(Self.bytes),
      timeout: request.timeout, responseLimit: TokenHTTPResponse.longestBody, options: ways.options(request.way))
    return await client.post(posted).map(Self.response).mapError(Self.error)
  }

  private static func line(_ field: TokenHTTPField) -> String {
    switch field.value {
    case .text(let text): "\(field.name): \(text)"
    case .secret(let secret): "\(field.name): \(String(decoding: secret.withBytes(bytes), as: UTF8.self))"
    }
  }

  private static func bytes(_ span: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(span.count)
    for index in span.indices { bytes.append(span[index]) }
    return bytes
  }

  private static func response(_ response: ClientResponse) -> TokenHTTPResponse {
    TokenHTTPResponse(
      status: response.status, contentType: response.value(of: "content-type"),
      retryAfter: response.value(of: "retry-after"), rateLimitReset: response.value(of: "ratelimit-reset"),
      date: response.value(of: "date"), body: response.body, bodyWasCut: response.isCut,
      contentEncoding: response.value(of: "content-encoding"), decodingProblem: response.decodingProblem)
  }

  private static func error(_ error: UpstreamError) -> TokenTransportError {
    switch error {
    case .dns(let detail): .nameNotResolved(detail: detail)
    case .connectTimeout(let detail): .timedOut(detail: detail)
    case .certificate(let detail), .tls(let detail): .tls(detail: detail)
    case .alert(let alert):
      .tls(detail: "\(error). \(TLSAlertHint.text(for: alert, of: "the credentials", hasCertificate: nil).dropLast())")
    case .connect(let detail), .broken(let detail), .other(let detail), .prohibited(let detail),
      .privateAddress(let detail), .ownListener(let detail), .parentProxy(let detail), .undecodable(let detail):
      .unreachable(detail: detail)
    case .parentProxyRefusal(let detail, let status):
      .unreachable(detail: "\(detail). \(ParentProxyRefusal.hint(for: status))")
    case .notHTTP(.http2): .notHTTP(.http2)
    case .notHTTP(.tls): .notHTTP(.tls)
    case .notHTTP(.unknown): .notHTTP(.unknown)
    case .clientCertificate(let detail):
      .unusable(detail: detail)
    case .exhausted, .clientShare, .noDescriptors: .unreachable(detail: error.description)
    }
  }
}

/// The ways in which connections to token endpoints are made: each once, by the number that token requests name. A way
/// keeps its number as long as the process runs.
final class TokenConnectionOptions: Sendable {
  private struct State {
    var options: [ConnectionOptions] = []
    var numbers: [ConnectionOptions: Int] = [:]
  }

  private let state = Monitor(State())

  /// The number of the way that `credentials` need, with the policy at the top level of proxy.conf.
  func number(for credentials: Credentials, _ policy: ConnectionPolicy) -> Int {
    let options = ConnectionOptions(credentials, policy)
    return state.withLock { state in
      if let known = state.numbers[options] { return known }
      let number = state.options.count
      state.options.append(options)
      state.numbers[options] = number
      return number
    }
  }

  /// The way with this number.
  func options(_ number: Int) -> ConnectionOptions { state.withLock { $0.options[number] } }
}

extension ConnectionOptions {
  /// How connections to the token endpoint of `credentials` are made.
  init(_ credentials: Credentials, _ policy: ConnectionPolicy) {
    self.init(
      clientCertificate: credentials.clientCertificate, parentProxy: credentials.parentProxy,
      trust: credentials.trust, policy: policy)
  }

  /// How connections to the upstream of `route` are made.
  init(_ route: Route) {
    self.init(
      clientCertificate: route.clientCertificate, parentProxy: route.parentProxy,
      acceptsTruncation: route.tlsTruncation == .accept, trust: route.trust,
      policy: route.connections)
  }
}
