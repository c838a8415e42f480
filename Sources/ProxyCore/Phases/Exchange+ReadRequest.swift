internal import Bytes
internal import HTTPWire
internal import Reactor

extension Exchange {
  /// Reads the request's head, within its limits and its time, and parses the target.
  @inline(__always) func readRequest(on connection: ClientConnection) async throws(ExchangeError) {
    var parser = RequestHeadParser(limits: generation.headLimits)
    connection.setDeadline(worker.loop.now + generation.timeouts.head)
    reading: while true {
      let input = connection.input!
      do throws(WireError) {
        if try parser.parse(input.readableBytes, into: &head) { break reading }
      } catch {
        try await correctHead(after: error)
        parser.reset()
        continue reading
      }
      try await receiveMore()
    }
    request.hasHead = true
    try readTarget(on: connection)
    // Servers that read an expectation in different ways disagree about whether a body follows.
    if head.hasUnknownExpectation { throw .request(.unknownExpectation) }
    if head.methodKind == .connect { try checkConnect() }
    if head.methodKind == .trace { throw .traceMethod }
  }

  /// Rejects any method but CONNECT, and a body, which could not be told from data for the tunnel.
  private func checkConnect() throws(ExchangeError) {
    let method = text(of: head.method)
    guard method == "CONNECT" else { throw .connectMethod(method) }
    guard head.framing == .none || head.framing == .length(0) else { throw .request(.framedConnect) }
  }

  @inline(__always) private func readTarget(on connection: ClientConnection) throws(ExchangeError) {
    let input = connection.input!
    let target: RequestTarget
    do throws(WireError) {
      target = try RequestTarget.parse(input.readableBytes, target: head.target, method: head.methodKind)
    } catch {
      return try correctTarget(after: error)
    }
    request.target = target
    if target.hasUnwiseBytes { try correctTarget(after: nil) }
  }

  func receiveMore() async throws(ExchangeError) {
    while true {
      let input = buffers.extend(connection.input!)
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

  /// Whether memory is too short for a head that has arrived in part: for a long one when memory is tight, for any at
  /// the limit. The gate is for complete heads only.
  private func mustNotWait(_ received: Int) -> Bool {
    worker.memory.isTight && (received > Self.longestWhenTight || worker.memory.isFull)
  }

  // Most heads are shorter, and arrive in one piece.
  private static var longestWhenTight: Int { 4096 }

  /// A part of the request's head as text, for messages.
  func text(of range: ByteRange) -> String {
    guard let input = connection.input else { return "" }
    var bytes: [UInt8] = []
    for index in range.range { bytes.append(input.readableBytes[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
