import Deliveries
import HTTPWire

/// All that a parsed response head says, by value.
struct ResponseSummary: Equatable, Sendable {
  var status: Int
  var reason: String
  var version: HTTPVersion
  var fields: [String]
  var length: Int
  var framings: [BodyFraming]
  var contentLength: UInt64?
  var flags: Set<String>

  init(_ head: borrowing ResponseHead, _ bytes: [UInt8]) {
    status = head.status
    reason = text(bytes, head.reason)
    version = head.version
    fields = head.fields.map { "\(text(bytes, $0.name))=\(text(bytes, $0.value))" }
    length = head.length
    framings = [Method.get, .head, .connect].map { head.framing(answering: $0) }
    contentLength = head.contentLength
    flags = []
    if head.isInterim { flags.insert("interim") }
    if head.wantsKeepAlive { flags.insert("keeps") }
    if head.hasConnectionOptions { flags.insert("options") }
    if head.hasUpgrade { flags.insert("upgrade") }
    if head.hasDate { flags.insert("date") }
    if head.isEventStream { flags.insert("events") }
  }
}

/// Parses `message` as it arrives in pieces: first so many bytes of it, then so many, each time from the beginning.
func parseResponse(_ message: [UInt8], in lengths: [Int], limits: HeadLimits = HeadLimits()) -> Outcome<ResponseSummary>
{
  var parser = ResponseHeadParser(limits: limits)
  var head = ResponseHead()
  return readMessage(message, at: lengths) { arrived throws(WireError) in
    try parser.parse(arrived.span, into: &head) ? ResponseSummary(head, arrived) : nil
  }
}

func parseResponse(_ message: String, limits: HeadLimits = HeadLimits()) -> Outcome<ResponseSummary> {
  let message = bytes(message)
  return parseResponse(message, in: [message.count], limits: limits)
}

/// The head of a response that must be well-formed.
func response(_ message: String) throws -> ResponseSummary {
  guard case .complete(let summary) = parseResponse(message) else {
    throw Unexpected(outcome: "\(parseResponse(message))")
  }
  return summary
}
