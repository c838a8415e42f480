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
  func answerOptions() async {
    await answerHere(fields: "Allow: \(ErrorResponse.servedMethods)\r\n", content: "")
  }
}
