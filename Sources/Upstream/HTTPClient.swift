internal import CCurl
internal import Glibc
public import Outbound
internal import Reactor

/// A client for the few, small requests that the proxy makes on its own behalf, with libcurl's own HTTP.
///
/// Redirects are not followed: credentials go where the configuration says, and nowhere else.
public final class HTTPClient {
  private let dialer: Dialer

  /// A client on the same loop as `dialer`, which shares its TLS sessions, its trust, and its names and addresses.
  public init(dialer: Dialer) {
    self.dialer = dialer
  }

  /// Sends `request` as a POST and collects the response. Call it on the loop's thread.
  public func post(_ request: ClientRequest) async -> Result<ClientResponse, UpstreamError> {
    guard let origin = UpstreamOrigin(url: request.url, options: request.options) else {
      return .failure(.other("the URL cannot be used"))
    }
    let content = PostedContent(request)
    let wakeup = Wakeup(on: dialer.loop)
    var outcome: (transfer: CurlTransfer?, result: Result<Void, UpstreamError>)?
    let target = DialAttempt.Target(
      host: origin.connectedHost, port: origin.connectedPort,
      filter: DestinationFilter(DestinationRules(), own: OwnListeners()),
      parent: request.options.parentProxy, policy: request.options.policy, upstream: origin.name)
    let attempt = DialAttempt(
      to: target, timeout: request.timeout, by: dialer, goesOn: true,
      make: { [dialer] (endpoint, check, rest) throws(UpstreamError) in
        let transfer = try dialer.transfer(url: request.url, endpoint, check, request.options)
        let collector = ResponseCollector(limit: request.responseLimit)
        transfer.keptAlive = collector
        try Self.prepare(transfer, request, content, collector, rest)
        return transfer
      },
      completion: { transfer, result in
        outcome = (transfer, result)
        wakeup.wake()
      })
    defer {
      // In this order: the transfers refer to the body.
      attempt.cancel()
      outcome?.transfer?.close()
      withExtendedLifetime(content) {}
    }
    do throws(UpstreamError) { try attempt.begin() } catch { return .failure(error) }
    while outcome == nil { await wakeup.wait() }
    guard let outcome, let transfer = outcome.transfer, let collector = transfer.keptAlive as? ResponseCollector else {
      return outcome!.result.map { preconditionFailure("a response without a connection") }
    }
    return Self.response(transfer, collector, outcome.result)
  }

  private static func response(
    _ transfer: CurlTransfer, _ collector: ResponseCollector, _ result: Result<Void, UpstreamError>
  ) -> Result<ClientResponse, UpstreamError> {
    if let foreign = collector.foreignProtocol { return .failure(.notHTTP(foreign)) }
    let response = collector.response(status: unsafe ccurl_response_status(transfer.easy))
    guard case .failure(let error) = result, !collector.isCut else { return .success(response) }
    guard !collector.isHeadTooLong else { return .failure(.other("the head of the response is too long")) }
    guard case .undecodable(let problem) = error else { return .failure(error) }
    return .success(response.undecodable(problem))
  }

  private static func prepare(
    _ transfer: CurlTransfer, _ request: ClientRequest, _ content: PostedContent, _ collector: ResponseCollector,
    _ timeout: Duration
  ) throws(UpstreamError) {
    try transfer.set(CURLOPT_POST, 1)
    try transfer.set(CURLOPT_FOLLOWLOCATION, 0)
    // Some servers compress whether or not they are asked; libcurl decodes what it asks for.
    try transfer.set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
    // Without this libcurl rejects what is not HTTP without showing what it is; ResponseCollector rejects it instead.
    try transfer.set(CURLOPT_HTTP09_ALLOWED, 1)
    // HTTP/2 if the server speaks nothing else; a libcurl without HTTP/2 stays with HTTP/1.1.
    _ = unsafe ccurl_set_number(transfer.easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    try transfer.set(CURLOPT_TIMEOUT_MS, max(1, timeout.milliseconds))
    try transfer.set(CURLOPT_POSTFIELDSIZE, request.body.count)
    unsafe ccurl_set_pointer(transfer.easy, CURLOPT_POSTFIELDS, content.bytes)
    unsafe ccurl_set_pointer(transfer.easy, CURLOPT_HTTPHEADER, content.fields.list)
    let context = unsafe Unmanaged.passUnretained(collector).toOpaque()
    unsafe ccurl_set_body_callback(
      transfer.easy,
      { data, _, count, context in
        let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
        return unsafe Unmanaged<ResponseCollector>.fromOpaque(context!).takeUnretainedValue().add(body: bytes)
      }, context)
    unsafe ccurl_set_header_callback(
      transfer.easy,
      { data, _, count, context in
        let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
        return unsafe Unmanaged<ResponseCollector>.fromOpaque(context!).takeUnretainedValue().add(line: bytes)
      }, context)
  }
}

/// The memory that libcurl reads during a request; it holds credentials and is wiped afterwards.
@safe private final class PostedContent {
  let bytes: UnsafeMutableRawPointer
  let fields: FieldLines
  private let count: Int

  init(_ request: ClientRequest) {
    count = request.body.count
    unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: max(1, count), alignment: 1)
    unsafe UnsafeMutableRawBufferPointer(start: bytes, count: count).copyBytes(from: request.body)
    // An empty Expect keeps libcurl from waiting for a 100 that token endpoints do not send.
    fields = FieldLines(request.fieldLines + ["Expect:"])
  }

  deinit {
    unsafe explicit_bzero(bytes, count)
    unsafe bytes.deallocate()
  }
}

/// A small request that libcurl makes as a whole: for token endpoints, not for proxied requests.
public struct ClientRequest {
  /// An http or https URL.
  public var url: String
  /// The complete field lines, without line ends. libcurl adds `Content-Length`.
  public var fieldLines: [String]
  /// The body of the POST request.
  public var body: [UInt8]
  /// From the DNS lookup to the last byte of the response.
  public var timeout: Duration
  /// How much of the response's body is kept, in bytes.
  public var responseLimit: Int
  /// How the connection is made.
  public var options: ConnectionOptions

  /// Creates a request.
  public init(
    url: String, fieldLines: [String], body: [UInt8], timeout: Duration, responseLimit: Int,
    options: ConnectionOptions = ConnectionOptions()
  ) {
    self.url = url
    self.fieldLines = fieldLines
    self.body = body
    self.timeout = timeout
    self.responseLimit = responseLimit
    self.options = options
  }
}

/// The response to a ``ClientRequest``.
public struct ClientResponse: Sendable {
  /// The status code.
  public var status: Int
  /// The fields as received, in their order; names in lower case.
  public var fields: [(name: String, value: String)]
  /// The body, up to the request's limit.
  public var body: [UInt8]
  /// Whether the body was longer than the limit.
  public var isCut: Bool
  /// Why the body, which has a content coding, could not be decoded; nil if it could. The body is empty then.
  public var decodingProblem: String?

  /// The value of the first field called `name`, in lower case.
  public func value(of name: String) -> String? {
    fields.first { $0.name == name }?.value
  }

  /// This response without its body, which could not be decoded.
  fileprivate func undecodable(_ problem: String) -> ClientResponse {
    var response = self
    response.body = []
    response.decodingProblem = problem
    return response
  }
}

/// Field lines for libcurl, in memory that is wiped afterwards: they may hold credentials.
@safe final class FieldLines {
  private(set) var list: UnsafeMutablePointer<curl_slist>?

  init(_ lines: [String]) {
    for line in lines { unsafe list = curl_slist_append(list, line) }
  }

  deinit {
    var line = unsafe list
    while let current = unsafe line {
      unsafe explicit_bzero(current.pointee.data, strlen(current.pointee.data))
      unsafe line = current.pointee.next
    }
    unsafe curl_slist_free_all(list)
  }
}

/// Collects what libcurl hands over of a response, within bounds.
final class ResponseCollector {
  /// Whether the body was longer than the limit.
  private(set) var isCut = false

  private let limit: Int
  private var body: [UInt8] = []
  private var fields: [(name: String, value: String)] = []
  private var fieldBytes = 0
  private var hasHead = false
  // The beginning of what arrived instead of a head.
  private var foreign: [UInt8] = []

  private static let fieldLimit = 64 * 1024

  init(limit: Int) {
    self.limit = limit
  }

  /// Whether the head of the response exceeds the limit.
  var isHeadTooLong: Bool { fieldBytes > Self.fieldLimit }

  /// What arrived instead of a response; nil if it was a response, or nothing arrived.
  var foreignProtocol: ForeignProtocol? { foreign.isEmpty ? nil : ForeignProtocol(beginning: foreign) }

  /// Takes a piece of the body; any other return value than its size makes libcurl stop.
  func add(body piece: UnsafeRawBufferPointer) -> Int {
    guard hasHead else {
      unsafe foreign.append(contentsOf: piece.prefix(ForeignProtocol.longestSign - foreign.count))
      return foreign.count < ForeignProtocol.longestSign ? piece.count : 0
    }
    let room = limit - body.count
    unsafe body.append(contentsOf: piece.prefix(room))
    guard piece.count <= room else {
      isCut = true
      return 0
    }
    return piece.count
  }

  /// Takes a line of the head.
  func add(line: UnsafeRawBufferPointer) -> Int {
    fieldBytes += line.count
    guard fieldBytes <= Self.fieldLimit else { return 0 }
    let text = unsafe String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      // The head so far was an interim response's: only the last head counts.
      fields.removeAll()
      hasHead = true
    } else if let colon = text.firstIndex(of: ":") {
      let value = text[text.index(after: colon)...]
      fields.append((text[..<colon].lowercased(), Self.trimmed(value)))
    }
    return line.count
  }

  func response(status: Int) -> ClientResponse {
    ClientResponse(status: status, fields: fields, body: body, isCut: isCut)
  }

  private static func trimmed(_ value: Substring) -> String {
    var value = value
    while let first = value.first, first.isWhitespace { value.removeFirst() }
    while let last = value.last, last.isWhitespace { value.removeLast() }
    return String(value)
  }
}
