import Bytes
import Deliveries
import HTTPWire

/// A response head by value.
private struct ReadResponse: Equatable {
  let status: Int
  let reason: String
  let version: HTTPVersion
  let fields: [ReadField]
  let framings: [BodyFraming]
  let length: Int
  let keeps: Bool

  init(_ head: borrowing ResponseHead, _ bytes: [UInt8]) {
    status = head.status
    reason = text(bytes[head.reason.range])
    version = head.version
    fields = head.fields.map { ReadField($0, bytes) }
    framings = [Method.get, .head, .connect].map { head.framing(answering: $0) }
    length = head.length
    keeps = head.wantsKeepAlive
  }
}

private func parse(
  _ input: [UInt8], at looks: [Int], _ limits: HeadLimits, _ head: inout ResponseHead
) -> Outcome<ReadResponse> {
  var parser = ResponseHeadParser(limits: limits)
  return readMessage(input, at: looks) { arrived throws(WireError) in
    try parser.parse(arrived.span, into: &head) ? ReadResponse(head, arrived) : nil
  }
}

/// A response head means the same however it arrives, and what is accepted leaves with the framing that was read.
func checkResponseHead(_ input: [UInt8]) throws(Violation) {
  var head = ResponseHead()
  let read = try checkDeliveries(of: input) { parse(input, at: $0, $1, &head) }
  guard let before = read else { return }
  try require((100...599).contains(before.status), "the status is \(before.status)")
  try require(before.length <= input.count, "the head is longer than what was given")
  if head.connectionChallenge(input.span) != .none {
    try require(before.fields.contains { $0.key == "www-authenticate" }, "a challenge in no field: \(before)")
  }
  for method in [Method.get, .head] {
    let received = head.framing(answering: method)
    guard let forwarded = forward(head, input, received) else { continue }
    var again = ResponseHead()
    let outcome = parse(forwarded, at: [forwarded.count], generousLimits, &again)
    guard case .complete(let after) = outcome else {
      throw Violation(description: "what was sent on is \(outcome): \(text(forwarded))")
    }
    try require(after.length == forwarded.count, "the head ends before its end: \(text(forwarded))")
    try require(after.status == before.status, "\(before) became \(after)")
    let sent = received == .untilClose ? .chunked : received
    try require(again.framing(answering: method) == sent, "\(received) became \(again.framing(answering: method))")
    try checkForwarded(after.fields, of: before.fields, added: ["transfer-encoding", "via", "connection"])
    try checkLinks(head, input, received, written: forwarded)
  }
}

private let linkNames: Set<String> = ["location", "content-location", "link"]

/// With its references changed an answer is the same but for those; where nothing leads to the upstream it is the same.
private func checkLinks(
  _ head: borrowing ResponseHead, _ input: [UInt8], _ framing: BodyFraming, written plain: [UInt8]
) throws(Violation) {
  let upstream = LinkMap.Upstream(scheme: .https, host: "up.example", port: 443, basePath: Array("/base".utf8))
  let host = Array("127.0.0.1:8080".utf8)
  let authority = try? RequestTarget.parseAuthority(host.span, ByteRange(0..<host.count))
  let links = LinkMap(upstream, scheme: .http, authority: authority, host.span, mount: Array("/orders".utf8).span)
  var plainHead = ResponseHead()
  var mappedHead = ResponseHead()
  guard let mapped = forward(head, input, framing, links),
    case .complete(let before) = parse(
      plain, at: [plain.count], generousLimits, &plainHead)
  else { return }
  guard case .complete(let after) = parse(mapped, at: [mapped.count], generousLimits, &mappedHead) else {
    throw Violation(description: "with other links it is no head: \(text(mapped))")
  }
  try require(after.length == mapped.count && after.framings == before.framings, "\(before) became \(after)")
  try require(after.fields.count == before.fields.count, "\(before) became \(after)")
  for (one, other) in zip(before.fields, after.fields) where one != other {
    try require(one.name == other.name && linkNames.contains(one.key), "\(one) became \(other)")
    try require(one.value.contains("/base"), "\(one) became \(other)")
    // A reference that changes loses "/base" at least, and gets no more than origin and mount.
    let references = one.value.split(separator: "/base", omittingEmptySubsequences: false).count - 1
    let longest = one.value.utf8.count + references * "http://127.0.0.1:8080/orders/".utf8.count
    try require(other.value.contains("/orders/") && other.value.utf8.count <= longest, "\(one) became \(other)")
  }
}

/// Sends an answer on as the proxy does; nil if it is too large for that.
private func forward(
  _ head: borrowing ResponseHead, _ input: [UInt8], _ framing: BodyFraming, _ links: LinkMap? = nil
) -> [UInt8]? {
  let output = ByteBuffer(capacity: 131_072)
  var writer = HeadWriter(output)
  writer.statusLine(head.status, reason: input.span.extracting(head.reason.range))
  writer.forwardFields(of: head, input.span, links: links)
  if framing == .chunked || framing == .untilClose { writer.chunkedFraming() }
  writer.via(head.version, Array("m2m-proxy".utf8).span)
  if !head.isInterim { writer.connectionClose() }
  do throws(WireError) { try writer.end() } catch { return nil }
  return output.readableBytes.indices.map { output.readableBytes[$0] }
}
