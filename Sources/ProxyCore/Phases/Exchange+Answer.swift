internal import Bytes
internal import HTTPWire
internal import Reactor

extension Exchange {
  /// Sends the client an error response, unless it is gone or has part of a response already.
  func answer(_ error: ExchangeError) async {
    guard let status = error.status, !outcome.hasBegunAnswer else {
      // If a client takes so little, what the kernel still holds for it is not worth keeping.
      let isCutShort = holdings.tunnel != nil || endsWithConnection || error.kind == .client(.tooSlow)
      outcome.ending = outcome.hasBegunAnswer && isCutShort ? .abortsConnection : .closesConnection
      return
    }
    outcome.status = status
    connection.finalDeadline = .never
    let closes = error.endsConnection || closesAfterOwnAnswer
    let response = ErrorResponse(
      error, status: status, route: route?.name, requestID: requestID,
      date: String(decoding: worker.httpDate, as: UTF8.self),
      isHead: request.hasHead && head.methodKind == .head, closes: closes)
    let sent = await send(response.bytes)
    outcome.ending = closes || !sent ? .closesConnection : .keepsConnection
  }

  /// Sends a response of the proxy's own that is not an error.
  ///
  /// - Parameter fields: field lines, each with its CRLF.
  func answerHere(fields: String, content: String) async {
    outcome.status = 200
    let closes = closesAfterOwnAnswer
    var response = "HTTP/1.1 200 OK\r\nDate: \(String(decoding: worker.httpDate, as: UTF8.self))\r\n"
    response += "\(fields)Content-Length: \(content.utf8.count)\r\n"
    if closes { response += "Connection: close\r\n" }
    let sent = await send(Array((response + "\r\n" + content).utf8))
    outcome.ending = closes || !sent ? .closesConnection : .keepsConnection
  }

  /// Whether the connection ends with a response of the proxy's own: bytes after the request may not be another request.
  var closesAfterOwnAnswer: Bool {
    !request.hasHead || !head.wantsKeepAlive || connection.isEnding || connection.isLastRequest || contentIsUnread
      // Bytes after it may have been meant for the tunnel (RFC 9931).
      || head.methodKind == .connect || isAheadOfUpgrade
      // Requests that the proxy responds to itself do not pass the memory gate; what follows them takes memory.
      || worker.memory.isTight
  }

  /// Whether only the end of the connection shows the client the end of the response.
  private var endsWithConnection: Bool {
    request.hasHead && attempt.hasAnswerHead && head.version == .http10
      && [.chunked, .untilClose].contains(answerHead.framing(answering: head.methodKind))
  }

  private var contentIsUnread: Bool {
    guard head.framing != .none, head.framing != .length(0) else { return false }
    return !upload.isBegun || !upload.decoder.isFinished
  }

  /// Sends a response of the proxy's own; false if the client does not take it.
  func send(_ bytes: [UInt8]) async -> Bool {
    let buffer = buffers.lend(fitting: bytes.count)
    defer { buffers.giveBack(buffer) }
    buffer.append(bytes.span)
    return await send(buffer)
  }

  /// Sends everything in `buffer`; false if the client does not take it.
  func send(_ buffer: ByteBuffer) async -> Bool {
    connection.setDeadline(worker.loop.now + generation.timeouts.body)
    while !buffer.isEmpty {
      switch connection.stream.send(from: buffer) {
      case .transferred:
        continue
      case .wouldBlock:
        if connection.isOverdue || connection.isAborted || connection.stream.hasFailed { return false }
        // Clients that do not read the proxy's own responses never pass the memory gate, and must not fill the memory
        // before it.
        if worker.memory.isTight { return false }
        connection.fitInput()
        await connection.wakeup.wait()
      case .endOfStream, .failed:
        return false
      }
    }
    return true
  }
}

extension Exchange {
  /// Whether the request was forwarded as often as Max-Forwards allows, so that it is for the proxy itself (RFC 9110
  /// section 7.6.2); otherwise counts one more time.
  func goesNoFurther() throws(ExchangeError) -> Bool {
    let input = requestInput
    do throws(WireError) {
      guard let forwards = try head.maxForwards(input.readableBytes) else { return false }
      guard forwards > 0 else { return true }
      request.remainingForwards = forwards - 1
      return false
    } catch {
      throw .request(error)
    }
  }

  /// Responds to OPTIONS as its final recipient: with the methods that the proxy serves.
  func answerOptions() async {
    await answerHere(fields: "Allow: \(ErrorResponse.servedMethods)\r\n", content: "")
  }
}
