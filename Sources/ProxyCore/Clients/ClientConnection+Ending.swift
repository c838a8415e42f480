internal import Bytes
internal import HTTPWire
internal import Reactor

// How a connection ends: after an error response, at once, or when the client has received all of its response.
extension ClientConnection {
  // How long input is read and discarded after a response that ends the connection.
  private static let lingeringTime = Duration.seconds(2)
  // After this many reads in a row other tasks run.
  private static let readsInARow = 8

  /// Says why there will be no request, without waiting for one, in plain HTTP.
  func refuse(_ error: ExchangeError) async {
    guard let status = error.status else { return }
    let response = ErrorResponse(
      error, status: status, route: nil, requestID: nil, date: String(decoding: worker.httpDate, as: UTF8.self),
      isHead: false,
      closes: true)
    if sendAtOnce(response.bytes) { await closeGently() }
  }

  /// Sends `bytes`; false if the socket has no room for them. No buffer outlives the call: the connection may linger.
  private func sendAtOnce(_ bytes: [UInt8]) -> Bool {
    let buffer = worker.buffers.lend(fitting: bytes.count)
    defer { worker.buffers.giveBack(buffer) }
    buffer.append(bytes.span)
    if case .transferred = stream.send(from: buffer) { return true }
    return false
  }

  /// Closes the upstream connection that waits for this client, if there is one.
  func endPin() {
    guard let pin else { return }
    self.pin = nil
    pin.end()
  }

  /// Closes the connection, which is idle, unless a request has arrived that the loop has not read yet.
  func giveWay() {
    if !stream.isReadable, !stream.hasUnexpectedInput() { abort() }
  }

  /// The program ends.
  func abort() {
    isAborted = true
    wakeup.wake()
  }

  /// Whether closing loses nothing: everything that the client sent was read, and everything sent to it is with the
  /// kernel. For TLS, this sends close_notify.
  func mayClose() -> Bool {
    guard input == nil, !stream.hasUnexpectedInput() else { return false }
    if !(stream is SocketStream) { stream.finishSending() }
    return !stream.hasUnsentBytes
  }

  /// Closes so that the client can read the response although it may still be sending: a plain close would make the
  /// kernel reset the connection, and the response would be lost on the way (RFC 9112 section 9.6). Bounded by time,
  /// not by bytes: many clients read a response only after they have sent everything.
  func closeGently() async {
    stream.finishSending()
    setDeadline(worker.loop.now + Self.lingeringTime)
    // Input is discarded unread, so that many ending connections take no memory for it.
    worker.buffers.takeBack(&input)
    let buffer = worker.discarded
    var reads = 0
    while !isOverdue, !isAborted {
      buffer.removeAll()
      switch stream.receive(into: buffer) {
      case .transferred:
        reads += 1
        if reads % Self.readsInARow == 0 { await worker.loop.yield() }
      case .wouldBlock: await wakeup.wait()
      case .endOfStream, .failed: return
      }
    }
  }
}
