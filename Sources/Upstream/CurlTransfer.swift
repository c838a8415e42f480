internal import Addresses
internal import Bytes
internal import CCurl
internal import COpenSSL
internal import Cryptography
internal import Outbound
internal import Reactor
internal import SystemPackage

// The handles belong to this object, and are freed once, by close().
/// One libcurl handle that an event loop drives without ever blocking.
///
/// Each has a multi handle of its own: `curl_easy_send` and `curl_easy_recv` search the connections of the multi handle
/// linearly, and a new transfer closes connections of the same multi handle that have unread input. The loop's
/// ``CurlShare`` shares TLS sessions. A transfer connects to one address, which ``DialAttempt`` chooses; libcurl
/// resolves no name.
@safe final class CurlTransfer {
  let easy: UnsafeMutableRawPointer
  /// Where it connects to.
  let endpoint: Endpoint
  private let multi: UnsafeMutableRawPointer
  private let loop: EventLoop
  private let share: CurlShare
  private let trust: TrustStore
  private let destination: DestinationCheck
  private let parentProxy: ParentProxy?
  private let identity: TLSIdentity?
  private var proxyFields: FieldLines?
  // Tells libcurl the address of the host, instead of DNS.
  private var resolved: FieldLines?
  private let errorText: UnsafeMutablePointer<CChar>
  // What is noted of TLS; it lives as long as libcurl's handles.
  private let notes: UnsafeMutablePointer<copenssl_notes>
  private var sockets: [Int32: CurlSocketWatch] = [:]
  private var completion: ((Result<Void, UpstreamError>) -> Void)?
  private var isClosed = false
  // When libcurl wants to be called, and whether the timer is set earlier because libcurl waits for nothing else.
  private var wanted = Instant.never
  private var isUnwatched = false
  // Set during a call of libcurl, when its handles must not be touched, and reported after the call.
  private var failure: UpstreamError?
  private let timer = LoopTimer()
  private var charge: MemoryCharge?
  /// How connecting failed, if another attempt could succeed; nil otherwise, and while nothing has failed.
  private(set) var fault: ConnectFault?
  private var wasLostAtOnce = false
  /// Called once when the connection is made, before anything of a request is sent; nothing is if it says no.
  var connected: (() -> Bool)?
  /// What the transfer's callbacks refer to.
  var keptAlive: AnyObject?

  // How long a transfer that waits for nothing is left alone.
  private static let longestSilence = Duration.milliseconds(50)

  init(
    url: String, endpoint: Endpoint, loop: EventLoop, share: CurlShare, trust: TrustStore,
    destination: DestinationCheck, options: ConnectionOptions, account: MemoryAccount
  ) throws(UpstreamError) {
    identity = try options.clientCertificate.map { certificate throws(UpstreamError) in
      do {
        return try TLSIdentity(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile)
      } catch {
        throw .clientCertificate("\(error)")
      }
    }
    guard let easy = unsafe curl_easy_init() else { throw .other("libcurl has no memory for a transfer") }
    guard let multi = unsafe curl_multi_init() else {
      unsafe curl_easy_cleanup(easy)
      throw .other("libcurl has no memory or no descriptor for a transfer")
    }
    unsafe self.easy = easy
    unsafe self.multi = multi
    self.endpoint = endpoint
    self.loop = loop
    self.share = share
    self.trust = trust
    self.destination = destination
    parentProxy = options.parentProxy
    charge = MemoryCharge(MemoryCost.transfer + (url.hasPrefix("https:") ? MemoryCost.upstreamTLS : 0), to: account)
    unsafe errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    unsafe notes = UnsafeMutablePointer<copenssl_notes>.allocate(capacity: 1)
    unsafe notes.initialize(
      to: copenssl_notes(alert: -1, handshake: Int32(COPENSSL_HANDSHAKE_NONE), has_early_bytes: 0))
    timer.action = { [unowned self] in timeout() }
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe ccurl_set_socket_callback(
      multi,
      { _, socket, what, context, _ in
        unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue().follow(socket, what)
        return 0
      }, context)
    unsafe ccurl_set_timer_callback(
      multi,
      { _, milliseconds, context in
        unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue().wait(milliseconds)
        return 0
      }, context)
    let code = unsafe ccurl_set_open_socket_callback(
      easy,
      { context, _, address in
        guard let address = unsafe address else { return CURL_SOCKET_BAD }
        return unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue().destination.open(address)
      }, context)
    guard code == CURLE_OK else { throw UpstreamError(code, detail: "") }
    try setCommonOptions(url: url)
    if let line = endpoint.resolveLine { resolve(line) }
  }

  /// Tells libcurl the addresses of a host: `a.example:443:192.0.2.1`.
  func resolve(_ line: String) {
    let lines = FieldLines([line])
    unsafe ccurl_set_pointer(easy, CURLOPT_RESOLVE, lines.list)
    resolved = lines
  }

  deinit {
    close()
    unsafe errorText.deallocate()
    unsafe notes.deallocate()
  }

  private func setCommonOptions(url: String) throws(UpstreamError) {
    try set(CURLOPT_URL, url)
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
    unsafe ccurl_set_pointer(easy, CURLOPT_SHARE, share.handle)
    // The loop handles signals; without this libcurl also changes SIGPIPE's handler around every call.
    try set(CURLOPT_NOSIGNAL, 1)
    // libcurl resolves nothing. If it ever did, cancelling would have to wait for its resolver thread, and block the
    // loop.
    try set(CURLOPT_QUICK_EXIT, 1)
    try setParentProxy()
    try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    try set(CURLOPT_TCP_KEEPALIVE, 1)
    try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    try set(CURLOPT_SSL_VERIFYPEER, 1)
    try set(CURLOPT_SSL_VERIFYHOST, 2)
    unsafe ccurl_set_text(easy, CURLOPT_CAINFO, nil)
    unsafe ccurl_set_text(easy, CURLOPT_CAPATH, nil)
    // A resumed session vouches for the certificate that it began with, whatever the files contain by now.
    if identity != nil { try set(CURLOPT_SSL_SESSIONID_CACHE, 0) }
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    let code = unsafe ccurl_set_tls_callback(
      easy,
      { _, tls, context in
        unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue().prepare(tls: tls!)
      }, context)
    // The option exists only if libcurl uses OpenSSL; without the store it would verify against nothing.
    guard code == CURLE_OK else { throw .other("this libcurl was not built with OpenSSL, which m2m-proxy needs") }
  }

  private func prepare(tls: UnsafeMutableRawPointer) -> CURLcode {
    let context = OpaquePointer(tls)
    unsafe SSL_CTX_set1_cert_store(context, trust.store)
    unsafe copenssl_require_alternative_names(context)
    unsafe copenssl_allow_moving_writes(context)
    unsafe copenssl_read_ahead(context)
    unsafe copenssl_prefer_aes_128(context)
    guard unsafe copenssl_take_notes(context, notes) == 1 else { return CURLE_OUT_OF_MEMORY }
    guard let identity else { return CURLE_OK }
    return unsafe identity.use(inContext: tls) ? CURLE_OK : CURLE_SSL_CERTPROBLEM
  }

  private func setParentProxy() throws(UpstreamError) {
    // http_proxy and no_proxy in the environment are meant for the applications, and may name this very process.
    try set(CURLOPT_PROXY, parentProxy.map { "http://\($0)" } ?? "")
    try set(CURLOPT_NOPROXY, "")
    guard let parentProxy else { return }
    // A tunnel for plain HTTP too: the parent proxy has no business with what is said to the other end.
    try set(CURLOPT_HTTPPROXYTUNNEL, 1)
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    try set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
    guard let line = parentProxy.fieldLine else { return }
    let fields = FieldLines([line])
    unsafe ccurl_set_pointer(easy, CURLOPT_PROXYHEADER, fields.list)
    proxyFields = fields
  }

  func set(_ option: CURLoption, _ value: Int) throws(UpstreamError) {
    let code = unsafe ccurl_set_number(easy, option, value)
    guard code == CURLE_OK else { throw UpstreamError(code, detail: "") }
  }

  func set(_ option: CURLoption, _ value: String) throws(UpstreamError) {
    let code = unsafe ccurl_set_text(easy, option, value)
    guard code == CURLE_OK else { throw UpstreamError(code, detail: "") }
  }

  /// Starts; `completion` is called once, later, on the loop's thread, unless the transfer is closed before.
  func start(_ completion: @escaping (Result<Void, UpstreamError>) -> Void) throws(UpstreamError) {
    self.completion = completion
    let code = unsafe curl_multi_add_handle(multi, easy)
    guard code == CURLM_OK else {
      // The completion refers to this transfer's owner, and would keep both alive.
      self.completion = nil
      throw .other(unsafe String(cString: curl_multi_strerror(code)))
    }
  }

  /// Like ``start(_:)``, for a transfer that sends its request after connecting: it calls `connected` at that moment.
  func start(
    connected: @escaping () -> Bool, _ completion: @escaping (Result<Void, UpstreamError>) -> Void
  ) throws(UpstreamError) {
    self.connected = connected
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    let code = unsafe ccurl_set_ready_callback(
      easy,
      { context, _, _, _, _ in
        let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
        return transfer.connected?() == true ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
      }, context)
    guard code == CURLE_OK else { throw UpstreamError(code, detail: "") }
    try start(completion)
  }

  /// Whether the parent proxy has responded: a failure from then on says nothing about its address.
  var hasPassedParent: Bool { unsafe parentProxy != nil && ccurl_connect_status(easy) != 0 }

  /// Whether TCP has connected; TLS may be under way.
  var isEstablished: Bool { sockets.keys.contains { ccurl_is_connected($0) != 0 } }

  /// Stops watching the sockets, and leaves the connection to its next owner.
  func handOver() {
    forgetSockets()
    loop.set(timer, to: .never)
  }

  /// Ends the transfer, and the connection with it. Calling it again does nothing.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    completion = nil
    connected = nil
    loop.retire(timer)
    forgetSockets()
    unsafe curl_multi_remove_handle(multi, easy)
    unsafe curl_easy_cleanup(easy)
    unsafe curl_multi_cleanup(multi)
    charge = nil
  }

  private func forgetSockets() {
    for watch in sockets.values { loop.remove(watch) }
    sockets.removeAll()
  }

  // MARK: Requests of libcurl

  private func follow(_ socket: Int32, _ what: Int32) {
    guard !isClosed, what != CURL_POLL_REMOVE else {
      if let watch = sockets.removeValue(forKey: socket) { loop.remove(watch) }
      return
    }
    var interest: Readiness = []
    if what & CURL_POLL_IN != 0 { interest.insert(.readable) }
    if what & CURL_POLL_OUT != 0 { interest.insert(.writable) }
    do {
      if let watch = sockets[socket] {
        try loop.change(watch, interest: interest)
      } else {
        let watch = CurlSocketWatch { [unowned self] readiness in ready(socket, readiness) }
        try loop.register(watch, descriptor: socket, interest: interest)
        sockets[socket] = watch
      }
    } catch {
      failure = .other("the connection cannot be watched: \(error)")
      loop.set(timer, to: loop.now)
    }
  }

  private func wait(_ milliseconds: Int) {
    guard !isClosed else { return }
    wanted = milliseconds < 0 ? .never : loop.now + .milliseconds(milliseconds)
    isUnwatched = false
    loop.set(timer, to: wanted)
  }

  private func ready(_ socket: Int32, _ readiness: Readiness) {
    var events: Int32 = 0
    if readiness.contains(.readable) { events |= CURL_CSELECT_IN }
    if readiness.contains(.writable) { events |= CURL_CSELECT_OUT }
    if !readiness.isDisjoint(with: [.error, .hangUp]) { events |= CURL_CSELECT_ERR }
    act(on: socket, events)
  }

  private func act(on socket: Int32, _ events: Int32) {
    guard !isClosed else { return }
    var running: Int32 = 0
    let code = unsafe curl_multi_socket_action(multi, socket, events, &running)
    settle(code)
  }

  /// Call after libcurl did its work with the result `code`; returns whether the transfer has ended.
  private func settle(_ code: CURLMcode) {
    guard code == CURLM_OK else {
      return finish(.failure(.other(unsafe String(cString: curl_multi_strerror(code)))))
    }
    var result = CURLE_OK
    guard unsafe ccurl_finished(multi, &result) != 0 else { return watchOver() }
    let detail = unsafe String(cString: errorText)
    guard result != CURLE_OK else { return finish(.success(())) }
    var error = UpstreamError(result, detail: detail)
    let system = unsafe Int32(truncatingIfNeeded: ccurl_system_error(easy))
    if case .connect = error, system != 0 {
      error = .connect("\(endpoint.address.text), port \(endpoint.port): \(Errno(rawValue: system))")
    }
    if wasLostAtOnce { return finish(.failure(lossError)) }
    if destination.reason == nil {
      let handshake = unsafe result == CURLE_SSL_CONNECT_ERROR ? notes.pointee.handshake : 0
      fault = ConnectFault(error, system: system, handshake: HandshakeEnd(handshake))
    }
    finish(.failure(explain(error)))
  }

  /// Whether the connection, which has just been made, has ended already: nothing has been sent on it, and another attempt may do
  /// better. What the server has sent before it ended is left to what reads it.
  func isLostAtOnce() -> Bool {
    guard unsafe notes.pointee.has_early_bytes == 0 else { return false }
    // In the middle of a call, libcurl does not tell which socket it is.
    let sockets = connected == nil ? [unsafe ccurl_active_socket(easy)] : Array(sockets.keys)
    guard sockets.contains(where: { ccurl_has_ended($0) != 0 }) else { return false }
    wasLostAtOnce = true
    fault = .reset
    return true
  }

  /// The error for a connection that ``isLostAtOnce()``.
  var lossError: UpstreamError { parentProxyError(.broken("the connection was lost as soon as it was made")) }

  /// libcurl may leave a transfer without a socket and without a timer of its own before the end of its time
  /// (https://github.com/curl/curl/issues/11920): one that waits for nothing is driven again soon.
  private func watchOver() {
    guard completion != nil else { return }
    let soon = loop.now + Self.longestSilence
    let isUnwatched = sockets.isEmpty && wanted > soon
    guard isUnwatched || self.isUnwatched else { return }
    self.isUnwatched = isUnwatched
    loop.set(timer, to: isUnwatched ? soon : wanted)
  }

  /// The alert by which the server has reported a failure; nil where it has sent none.
  var alert: TLSAlert? { unsafe UInt8(exactly: notes.pointee.alert).map(TLSAlert.init) }

  private func explain(_ error: UpstreamError) -> UpstreamError {
    if let alert { return parentProxyError(.alert(alert)) }
    // Only OpenSSL's verification gives this result: libcurl compares the host itself, and does not set it.
    if unsafe ccurl_verify_result(easy) == Int(X509_V_ERR_HOSTNAME_MISMATCH) {
      return .certificate(
        "the server's certificate has no host name and no IP address as subject alternative name (SAN), and its common "
          + "name (CN) does not count")
    }
    var error = destination.reason ?? error
    if case .tls(let detail) = error, detail.contains("wrong version number") {
      error = .tls("the server does not speak TLS on this port; it may be one for http (\(detail))")
    }
    return parentProxyError(error)
  }

  private func parentProxyError(_ error: UpstreamError) -> UpstreamError {
    parentProxy?.explain(error, connectStatus: unsafe ccurl_connect_status(easy)) ?? error
  }

  private func timeout() {
    if let failure { return finish(.failure(failure)) }
    guard isUnwatched else { return act(on: CURL_SOCKET_BAD, 0) }
    isUnwatched = false
    guard !isClosed else { return }
    var running: Int32 = 0
    let code = unsafe ccurl_drive(multi, &running)
    settle(code)
  }

  private func finish(_ result: Result<Void, UpstreamError>) {
    guard let completion else { return }
    self.completion = nil
    completion(result)
  }
}

/// A socket that libcurl wants to hear about while it connects.
final class CurlSocketWatch: Watch {
  private let changed: (Readiness) -> Void

  init(_ changed: @escaping (Readiness) -> Void) {
    self.changed = changed
    super.init()
  }

  override func signal(_ readiness: Readiness) {
    changed(readiness)
  }
}
