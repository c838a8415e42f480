import Deliveries
import HTTPWire

/// All that a parsed request head says, by value.
struct RequestSummary: Equatable, Sendable {
  var method: String
  var kind: Method
  var target: String
  var version: HTTPVersion
  var fields: [String]
  var length: Int
  var leading: Int
  var framing: BodyFraming
  var host: String?
  var port: UInt16?
  var flags: Set<String>

  init(_ head: borrowing RequestHead, _ bytes: [UInt8]) {
    method = text(bytes, head.method)
    kind = head.methodKind
    target = text(bytes, head.target)
    version = head.version
    fields = head.fields.map { "\(text(bytes, $0.name))=\(text(bytes, $0.value))" }
    length = head.length
    leading = head.leading
    framing = head.framing
    host = head.host.map { text(bytes, $0) }
    port = head.authority?.port
    flags = []
    if head.wantsKeepAlive { flags.insert("keeps") }
    if head.expectsContinue { flags.insert("expects") }
    if head.hasUnknownExpectation { flags.insert("unknown expectation") }
    if head.hasConnectionOptions { flags.insert("options") }
    if head.hasUpgrade { flags.insert("upgrade") }
    if head.acceptsTrailers { flags.insert("trailers") }
  }
}

/// Parses `message` as it arrives in pieces: first so many bytes of it, then so many, each time from the beginning.
func parseRequest(_ message: [UInt8], in lengths: [Int], limits: HeadLimits = HeadLimits()) -> Outcome<RequestSummary> {
  var parser = RequestHeadParser(limits: limits)
  var head = RequestHead()
  return parseRequest(message, in: lengths, with: &parser, into: &head)
}

func parseRequest(
  _ message: [UInt8], in lengths: [Int], with parser: inout RequestHeadParser, into head: inout RequestHead
) -> Outcome<RequestSummary> {
  readMessage(message, at: lengths) { arrived throws(WireError) in
    try parser.parse(arrived.span, into: &head) ? RequestSummary(head, arrived) : nil
  }
}

func parseRequest(_ message: String, limits: HeadLimits = HeadLimits()) -> Outcome<RequestSummary> {
  let message = bytes(message)
  return parseRequest(message, in: [message.count], limits: limits)
}

/// The head of a request that must be well-formed.
func request(_ message: String) throws -> RequestSummary {
  guard case .complete(let summary) = parseRequest(message) else {
    throw Unexpected(outcome: "\(parseRequest(message))")
  }
  return summary
}

/// A message was not what the test takes it for.
struct Unexpected: Error {
  var outcome: String
}

func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
  text(bytes[range.range])
}
