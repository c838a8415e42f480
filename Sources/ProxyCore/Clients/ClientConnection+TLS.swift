internal import Bytes
internal import Callers
internal import Interception
internal import Reactor
internal import SystemPackage

extension ClientConnection {
  /// Does the TLS handshake with a client, until the deadline; the bytes received so far are its beginning. Afterwards
  /// ``stream`` is the encrypted one, and ``callers.peer`` has the client's certificate if there is one.
  ///
  /// No TLS session exists before the ClientHello is complete and a place among `limits.handshakes` is free.
  ///
  /// - Parameter choose: gets the name that the client asks for, if any, and may return another context; called if
  ///   `context` pauses at that moment.
  /// - Throws: why the handshake failed; the client was told, and nothing else can be sent on the connection.
  func startTLS(
    _ context: @autoclosure () -> TLSServerContext, choose: (String?) async -> TLSServerContext? = { _ in nil }
  ) async throws(TLSFailure) {
    try await receiveHello()
    let client = clientAddress
    try await enterHandshakes(client)
    defer { worker.handshakes.leave(client) }
    let encrypted = try takeOver(context())
    charge(MemoryCost.handshake)
    defer { charge(MemoryCost.clientTLS - MemoryCost.handshake) }
    continueIn(encrypted)
    while true {
      switch encrypted.handshake() {
      case .done:
        // Inside a tunnel no client is asked for another one.
        if let certificate = encrypted.peerCertificate { callers.peer.certificate = certificate }
        return
      case .hello:
        if let chosen = await choose(encrypted.serverName) { encrypted.use(chosen) }
      case .wouldBlock:
        if isOverdue || isAborted { throw .timedOut }
        await wakeup.wait()
      case .failed(let failure):
        throw failure
      }
    }
  }

  private func takeOver(_ context: TLSServerContext) throws(TLSFailure) -> TLSStream {
    let received = input
    input = nil
    defer { if let received { worker.buffers.giveBack(received) } }
    do throws(Errno) {
      if let carrier = stream as? TLSStream {
        return try TLSStream(inside: carrier, received: received, context, on: worker.loop)
      }
      guard let socket = (stream as? SocketStream)?.handOver() else { throw .badFileDescriptor }
      return try TLSStream(socket, received: received, context, on: worker.loop)
    } catch {
      throw .system(error)
    }
  }
}

// What comes before a TLS session: a connection that has sent a part of its ClientHello costs little more than an idle one.
extension ClientConnection {
  /// The client, where clients share something.
  var clientAddress: ClientAddress {
    if case .counted(let client) = standing { return client }
    return ClientAddress(peer)
  }

  /// Waits without a task until the ClientHello is whole, or something else begins, or nothing will come any more.
  func restUntilHello() {
    let isOver = isOverdue || isAborted || isEnding && input == nil
    guard !isOver, helloIsIncomplete() else { return beginPreamble() }
    wakeup.wait { [unowned self] in restUntilHello() }
  }

  /// Receives what has arrived; false if the input, or the connection, must be examined.
  private func helloIsIncomplete() -> Bool {
    while true {
      switch receiveLittle() {
      case .transferred:
        guard let input, ClientHello.scan(input.readableBytes) == .incomplete else { return false }
      case .wouldBlock:
        fitInput()
        return true
      case .endOfStream, .failed: return false
      }
    }
  }

  /// Receives the client's ClientHello, until it is whole or the deadline has passed.
  func receiveHello() async throws(TLSFailure) {
    while true {
      if let input {
        switch ClientHello.scan(input.readableBytes) {
        case .incomplete: break
        // Nothing follows it before the server's response, since no early data is accepted.
        case .whole where input.count <= ClientHello.mostBytes: return fitInput()
        case .whole, .tooLong:
          sendAlert(.decodeError)
          throw .broken("more than \(ClientHello.mostBytes / 1024) KB came as its beginning")
        case .malformed:
          sendAlert(.unexpectedMessage)
          throw .notTLS
        }
      }
      switch receiveLittle() {
      case .transferred: continue
      case .wouldBlock:
        if isOverdue || isAborted { throw .timedOut }
        fitInput()
        await wakeup.wait()
      case .endOfStream, .failed: throw .closed
      }
    }
  }

  /// Takes a place among the concurrent handshakes, and waits for one if necessary, until the deadline.
  func enterHandshakes(_ client: ClientAddress) async throws(TLSFailure) {
    if worker.memory.isTight { try await waitForMemory(client) }
    let gate = worker.handshakes
    if !gate.enter(client) {
      worker.metrics.reached(.handshakes)
      guard await gate.wait(for: client, at: wakeup, while: { !isOverdue && !isAborted && !isGone }) else {
        throw isGone ? .closed : .crowded
      }
      // The time spent waiting for others does not count.
      setDeadline(worker.loop.now + worker.generation.timeouts.handshake)
    }
    // A handshake occupies the loop for as long as the signature takes: other tasks run after each one.
    while worker.lastHandshake == worker.loop.now {
      await worker.loop.yield()
    }
    worker.lastHandshake = worker.loop.now
  }

  /// Waits until there is memory for a TLS session, until the deadline.
  private func waitForMemory(_ client: ClientAddress) async throws(TLSFailure) {
    waitsForMemory = true
    defer { waitsForMemory = false }
    worker.easeMemory()
    switch worker.memoryGate.arrive(client.key, at: wakeup, bytes: input?.capacity ?? 0, worker.loop.now) {
    case .begins: return
    case .isRefused: throw .crowded
    case .waits(let waiter):
      worker.metrics.reached(.memory)
      worker.watchMemory()
      while !waiter.isAdmitted {
        guard !isOverdue, !isAborted, !isGone, !waiter.isDisplaced else {
          worker.memoryGate.withdraw(waiter, of: client.key)
          throw isGone ? .closed : .crowded
        }
        await wakeup.wait()
      }
    }
  }

  /// Appends received bytes to the input, in a buffer that grows with it.
  func receiveLittle() -> IOResult {
    guard stream.isReadable else { return .wouldBlock }
    if worker.memory.isTight { worker.boundUnbegun() }
    let buffer: ByteBuffer
    if let input {
      buffer = input.freeSpace > 0 ? input : worker.buffers.double(input)
      self.input = buffer
    } else {
      buffer = worker.buffers.lendSmall()
    }
    let result = stream.receive(into: buffer)
    if case .transferred = result {
      input = buffer
    } else if input == nil {
      worker.buffers.giveBack(buffer)
    }
    return result
  }

  /// Before a wait: moves the input into as little memory as it needs.
  func fitInput() {
    guard let input else { return }
    self.input = worker.buffers.fit(input)
  }

  private var isGone: Bool { stream.peerClosed || stream.hasFailed }

  /// An alert's number (RFC 8446 section 6).
  private enum Alert: UInt8 {
    case unexpectedMessage = 10
    case decodeError = 50
  }

  /// Sends an alert that ends the handshake, if there is room for it.
  private func sendAlert(_ alert: Alert) {
    let buffer = worker.buffers.lendSmall()
    // A record (21: alert) of two bytes: the level "fatal", and the alert.
    let record: [UInt8] = [21, 3, 1, 0, 2, 2, alert.rawValue]
    buffer.append(record.span)
    _ = stream.send(from: buffer)
    worker.buffers.giveBack(buffer)
  }
}
