internal import CCurl
internal import Glibc
internal import Reactor

/// A client for the few and small requests that the proxy makes on its own behalf, by libcurl's own HTTP.
///
/// Redirects are not followed: credentials go where the configuration says, and nowhere else.
public final class HTTPClient {
  private let dialer: Dialer

  /// A client that shares DNS answers, TLS sessions and trust with `dialer`, on the same loop.
  public init(dialer: Dialer) {
    self.dialer = dialer
  }

  /// Sends `request` as a POST and collects the answer. On the loop's thread.
  public func post(_ request: ClientRequest) async -> Result<ClientResponse, UpstreamError> {
    do {
      let transfer = try dialer.transfer(
        url: request.url, DestinationCheck(DestinationRules(), own: OwnListeners()), request.options)
      let collector = ResponseCollector(limit: request.responseLimit)
      let content = PostedContent(request)
      defer {
        // In this order: the transfer refers to the other two.
        transfer.close()
        withExtendedLifetime((collector, content)) {}
      }
      try prepare(transfer, request, content, collector)
      let wakeup = Wakeup(on: dialer.loop)
      var outcome: Result<Void, UpstreamError>?
      try transfer.start { result in
        outcome = result
        wakeup.wake()
      }
      while outcome == nil { await wakeup.wait() }
      if case .failure(let error)? = outcome, !collector.isCut { return .failure(error) }
      return .success(collector.response(status: unsafe ccurl_response_status(transfer.easy)))
    } catch {
      return .failure(error)
    }
  }

  private func prepare(
    _ transfer: CurlTransfer, _ request: ClientRequest, _ content: PostedContent, _ collector: ResponseCollector
  ) throws(UpstreamError) {
    try transfer.set(CURLOPT_POST, 1)
    try transfer.set(CURLOPT_FOLLOWLOCATION, 0)
    try transfer.set(CURLOPT_TIMEOUT_MS, Int(clamping: request.timeout.nanoseconds / 1_000_000))
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

/// What libcurl reads while a request is under way, in memory that is wiped afterwards: it holds credentials.
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
