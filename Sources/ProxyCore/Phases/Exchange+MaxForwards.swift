internal import Bytes
internal import HTTPWire

extension Exchange {
  /// Whether the request has been forwarded as often as it may be, so that it is for the proxy itself (RFC 9110 section
  /// 7.6.2); otherwise this counts one more time.
  func goesNoFurther() throws(ExchangeError) -> Bool {
    guard let input = connection.input else { return false }
    do throws(WireError) {
      guard let forwards = try head.maxForwards(input.readableBytes) else { return false }
      guard forwards > 0 else { return true }
      remainingForwards = forwards - 1
      return false
    } catch {
      throw .request(error)
    }
  }

  /// Answers OPTIONS as the one whom it was meant for: with the methods that the proxy serves.
  func answerHere() async {
    status = 200
    let closes = closesAfterOwnAnswer
    var response = "HTTP/1.1 200 OK\r\nDate: \(String(decoding: worker.httpDate, as: UTF8.self))\r\n"
    response += "Allow: \(ErrorResponse.servedMethods)\r\nContent-Length: 0\r\n"
    if closes { response += "Connection: close\r\n" }
    let sent = await send(Array((response + "\r\n").utf8))
    ending = closes || !sent ? .closesConnection : .keepsConnection
  }
}
