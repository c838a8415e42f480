internal import Bytes
internal import HTTPWire
internal import ProxyProtocol
internal import Reactor

extension Exchange {
  /// Reads the request's head, within its limits and its time, and takes the target apart.
  @inline(__always) func readRequest() async throws(ExchangeError) {
    var parser = RequestHeadParser(limits: generation.headLimits)
    connection.setDeadline(worker.loop.now + generation.timeouts.head)
    while !(try parse(&parser)) { try await receiveMore() }
    request.hasHead = true
    let input = connection.input!
    do throws(WireError) {
      request.target = try RequestTarget.parse(input.readableBytes, target: head.target, method: head.methodKind)
    } catch {
      throw .request(error)
    }
    // Servers that read an expectation in different ways disagree about whether content follows.
    if head.hasUnknownExpectation { throw .request(.unknownExpectation) }
    if head.methodKind == .connect { try checkConnect() }
    if head.methodKind == .trace { throw .traceMethod }
  }

  /// Rejects any method but CONNECT, and content, which could not be told from data for the tunnel.
  private func checkConnect() throws(ExchangeError) {
    let method = text(of: head.method)
    guard method == "CONNECT" else { throw .connectMethod(method) }
    guard head.framing == .none || head.framing == .length(0) else { throw .request(.framedConnect) }
  }

  private func parse(_ parser: inout RequestHeadParser) throws(ExchangeError) -> Bool {
    let input = connection.input!
    do throws(WireError) {
      return try parser.parse(input.readableBytes, into: &head)
    } catch {
      let isFirst = connection.requests == 1
      throw .request(isFirst && ProxyHeader.isAtStart(of: input.readableBytes) ? .proxyHeader : error)
    }
  }

  private func receiveMore() async throws(ExchangeError) {
    while true {
      let input = worker.buffers.extend(connection.input!)
      connection.input = input
      if input.freeSpace == 0 { input.compact() }
      switch connection.stream.receive(into: input) {
      case .transferred:
        return
      case .wouldBlock:
        if connection.isAborted { throw .draining }
        if connection.isOverdue { throw .requestTimeout }
        if mustNotWait(input.count) { throw .noMemory }
        connection.fitInput()
        await connection.wakeup.wait()
      case .endOfStream, .failed:
        throw .clientGone
      }
    }
  }

  /// Whether there is no memory for a head that is here in part: a long one when memory is tight, any at the limit. The gate
  /// is only for complete ones.
  private func mustNotWait(_ received: Int) -> Bool {
    worker.memory.isTight && (received > Self.longestWhenTight || worker.memory.isFull)
  }

  // Most heads are shorter, and come in one piece.
  private static var longestWhenTight: Int { 4096 }

  /// A part of the request's head as text, for messages.
  func text(of range: ByteRange) -> String {
    guard let input = connection.input else { return "" }
    var bytes: [UInt8] = []
    for index in range.range { bytes.append(input.readableBytes[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
