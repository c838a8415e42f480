internal import Bytes
internal import HTTPWire
internal import Reactor

// How a connection ends: with what is said before that, at once, or when the client has got all of its response.
extension ClientConnection {
  // How long is read and thrown away after an answer that ends the connection.
  private static let lingeringTime = Duration.seconds(2)
  // After so many reads in a row it is another task's turn.
  private static let readsInARow = 8

  /// Says why there will be no request, without waiting for one, in plain HTTP.
  func refuse(_ error: ExchangeError) async {
    guard let status = error.status else { return }
    let response = ErrorResponse(
      error, status: status, route: nil, date: String(decoding: worker.httpDate, as: UTF8.self), isHead: false,
      closes: true)
    if sendAtOnce(response.bytes) { await closeGently() }
  }

  /// Sends `bytes`, for which a new socket has room; false when it has not. No buffer outlives the call: the connection may linger.
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

  /// Closes the connection, which is idle, unless a request has come that the loop has not looked at yet.
  func giveWay() {
    if !stream.isReadable, !stream.hasUnexpectedInput() { abort() }
  }

  /// The program ends.
  func abort() {
    isAborted = true
    wakeup.wake()
  }

  /// Whether closing loses nothing: all that the client has sent was read, and all that it is sent is with the kernel. In TLS
  /// the end has been told then.
  func mayClose() -> Bool {
    guard input == nil, !stream.hasUnexpectedInput() else { return false }
    if !(stream is SocketStream) { stream.finishSending() }
    return !stream.hasUnsentBytes
  }

  /// Closes so that the client can read the answer although it may still be sending: a plain close would make the
  /// kernel reset the connection, and the answer would be lost on the way (RFC 9112 section 9.6). Bounded by time, not
  /// by bytes: many clients look for an answer only when all has been sent.
  func closeGently() async {
    stream.finishSending()
    setDeadline(worker.loop.now + Self.lingeringTime)
    // Nothing of what has come or comes is looked at, so that many that end take no memory for it.
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
