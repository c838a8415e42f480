internal import Bytes
internal import HTTPWire
internal import Reactor

/// Reads the requests of one connection, one after the other.
final class RequestReader {
  private let stream: TimedStream
  private let peer: SocketPeer
  private let loop: EventLoop
  private let limits: ServiceLimits
  private let pages: WebPageRule
  private let buffer: ByteBuffer
  private var parser: RequestHeadParser
  private var head = RequestHead()

  /// Why no further request can be read.
  enum End: Error {
    /// The client left, or was silent for too long.
    case gone
    /// What arrived gets this response, and then the connection is closed.
    case refused(ServiceResponse)
  }

  init(
    _ stream: TimedStream, from peer: SocketPeer, limits: ServiceLimits, pages: WebPageRule, on loop: EventLoop
  ) {
    self.stream = stream
    self.peer = peer
    self.loop = loop
    self.limits = limits
    self.pages = pages
    buffer = ByteBuffer(capacity: limits.head.bytes)
    parser = RequestHeadParser(limits: limits.head)
  }

  /// Whether a part of a request has arrived.
  var hasBegun: Bool { !buffer.isEmpty }

  /// The next complete request.
  func next() async throws(End) -> ArrivedRequest {
    try await readHead()
    var content = try description()
    buffer.consume(head.length)
    content.body = try await readBody()
    return ArrivedRequest(content: content, isHead: head.methodKind == .head, keepsAlive: head.wantsKeepAlive)
  }

  /// Reads and drops what still arrives, until the client closes its side, or until `deadline`.
  func discard(until deadline: Instant) async {
    let begun = loop.now
    repeat {
      buffer.removeAll()
      guard await stream.receive(into: buffer, until: deadline, as: .idle(since: begun)) == .received else { return }
      await stream.pass()
    } while loop.now < deadline
  }

  private func readHead() async throws(End) {
    var since = loop.now
    var deadline = since + (buffer.isEmpty ? limits.idleTimeout : limits.headTimeout)
    while true {
      if try hasHead() { return }
      let isIdle = buffer.isEmpty
      // The parser rejects a head that fills the whole buffer; compacting makes room for the rest of a smaller one.
      if buffer.freeSpace == 0 { buffer.compact() }
      switch await stream.receive(
        into: buffer, until: deadline, as: .idle(since: since), isInterruptible: isIdle)
      {
      case .received:
        guard isIdle else { continue }
        since = loop.now
        deadline = since + limits.headTimeout
      case .timedOut where !isIdle: throw .refused(.text(408, "The head of the request took too long to arrive."))
      case .timedOut, .interrupted, .ended: throw .gone
      }
    }
  }

  private func hasHead() throws(End) -> Bool {
    let buffer = buffer
    guard !buffer.isEmpty else { return false }
    do {
      return try parser.parse(buffer.readableBytes, into: &head)
    } catch {
      throw .refused(.refusal(error))
    }
  }

  /// All of the request but the body, as text.
  private func description() throws(End) -> ServiceRequest {
    let buffer = buffer
    let target: RequestTarget
    do {
      target = try RequestTarget.parse(buffer.readableBytes, target: head.target, method: head.methodKind)
    } catch {
      throw .refused(.refusal(error))
    }
    if target.form == .authority { throw .refused(.text(501, "This is a server, not a proxy: CONNECT leads nowhere.")) }
    if let refusal = pages.refusal(of: head, target, buffer.readableBytes) { throw .refused(refusal) }
    if head.hasUnknownExpectation { throw .refused(.text(417, "Expect is not 100-continue alone.")) }
    let path = target.form == .asterisk ? "*" : target.path.isEmpty ? "/" : text(target.path)
    return ServiceRequest(
      method: text(head.method), target: text(head.target), path: path, query: target.query.map(text),
      fields: head.fields.map { ServiceField(text($0.name), text($0.value)) }, body: [], peer: peer)
  }

  private func readBody() async throws(End) -> [UInt8] {
    let tooLarge = ServiceResponse.text(413, "The body is larger than the limit of \(limits.body) bytes.")
    if case .length(let length) = head.framing, length > UInt64(limits.body) { throw .refused(tooLarge) }
    if head.expectsContinue, buffer.isEmpty { try await invite() }
    var decoder = BodyDecoder(head.framing)
    let begun = loop.now
    var body: [UInt8] = []
    while !decoder.isFinished {
      if buffer.isEmpty { try await receiveBody(begun) }
      let consumed = try take(&decoder, into: &body)
      guard body.count <= limits.body else { throw .refused(tooLarge) }
      buffer.consume(consumed)
    }
    return body
  }

  /// Appends the payload at the front of the buffer to `body`, and returns how many bytes of the buffer that used.
  private func take(_ decoder: inout BodyDecoder, into body: inout [UInt8]) throws(End) -> Int {
    let buffer = buffer
    do {
      let (consumed, event) = try decoder.step(buffer.readableBytes)
      if case .payload(let range) = event {
        let payload = buffer.readableBytes.extracting(range)
        unsafe payload.withUnsafeBytes { unsafe body.append(contentsOf: $0) }
      }
      return consumed
    } catch {
      throw .refused(.refusal(error))
    }
  }

  private func receiveBody(_ begun: Instant) async throws(End) {
    let now = loop.now
    let deadline = min(now + limits.bodyTimeout, begun + limits.transferTimeout)
    switch await stream.receive(into: buffer, until: deadline, as: .transferring(begun: begun, moved: now)) {
    case .received: return
    case .timedOut: throw .refused(.text(408, "The body of the request took too long to arrive."))
    case .ended, .interrupted: throw .gone
    }
  }

  /// Sends 100 (Continue) to a client that waits for it before it sends the body (RFC 9110 section 10.1.1).
  private func invite() async throws(End) {
    let interim = ByteBuffer(capacity: 32)
    interim.append("HTTP/1.1 100 Continue\r\n\r\n" as StaticString)
    guard await stream.send(interim, pause: limits.bodyTimeout, total: limits.transferTimeout) else { throw .gone }
  }

  private func text(_ range: ByteRange) -> String {
    let buffer = buffer
    let bytes = buffer.readableBytes.extracting(range.range)
    return unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
