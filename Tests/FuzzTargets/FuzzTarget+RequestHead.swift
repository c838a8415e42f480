import Bytes
import Deliveries
import HTTPWire

/// A request head by value.
private struct ReadRequest: Equatable {
  let method: String
  let target: String
  let version: HTTPVersion
  let fields: [ReadField]
  let framing: BodyFraming
  let length: Int
  let authority: Authority?

  init(_ head: borrowing RequestHead, _ bytes: [UInt8]) {
    method = text(bytes[head.method.range])
    target = text(bytes[head.target.range])
    version = head.version
    fields = head.fields.map { ReadField($0, bytes) }
    framing = head.framing
    length = head.length
    authority = head.authority
  }
}

private func parse(
  _ input: [UInt8], at looks: [Int], _ limits: HeadLimits, _ head: inout RequestHead
) -> Outcome<ReadRequest> {
  var parser = RequestHeadParser(limits: limits)
  return readMessage(input, at: looks) { arrived throws(WireError) in
    try parser.parse(arrived.span, into: &head) ? ReadRequest(head, arrived) : nil
  }
}

/// A request head means the same however it arrives, and what is accepted leaves with one Host, one Authorization and
/// the framing that was read.
func checkRequestHead(_ input: [UInt8]) throws(Violation) {
  var head = RequestHead()
  let read = try checkDeliveries(of: input) { parse(input, at: $0, $1, &head) }
  guard let before = read else { return }
  try require(before.length <= input.count, "the head is longer than what was given")
  for field in before.fields {
    try require(field.value.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{7f}" || $0 == "\t" }, "\(field)")
  }
  try checkOffer(head, input)
  try checkConnectionCredentials(head, before.fields, input)
  let forwarded: [UInt8]
  do throws(WireError) {
    let target = try RequestTarget.parse(input.span, target: head.target, method: head.methodKind)
    guard target.form == .origin || target.form == .absolute else { return }
    forwarded = try forward(head, target, input)
  } catch {
    return
  }
  var parser = RequestHead()
  let outcome = parse(forwarded, at: [forwarded.count], generousLimits, &parser)
  guard case .complete(let after) = outcome else {
    throw Violation(description: "what was sent on is \(outcome): \(text(forwarded))")
  }
  try require(after.length == forwarded.count, "the head ends before its end: \(text(forwarded))")
  try require(after.method == before.method && after.framing == before.framing, "\(before) became \(after)")
  let names = after.fields.map(\.key)
  try require(names.count { $0 == "host" } == 1, "not one Host: \(after)")
  try require(names.count { $0 == "authorization" } == 1, "not one Authorization: \(after)")
  try require(after.fields.contains { $0.value == "Bearer ours" }, "not our Authorization: \(after)")
  try require(!names.contains("connection"), "Connection was forwarded")
  try checkForwarded(after.fields, of: before.fields, added: ["host", "authorization", "transfer-encoding", "via"])
}

/// What is offered to the upstream was received, is no more than names and versions, and is neither HTTP nor TLS.
private func checkOffer(_ head: borrowing RequestHead, _ input: [UInt8]) throws(Violation) {
  let values = head.fields.filter { $0.known == .upgrade }.map { text(input[$0.value.range]) }
  for range in head.offeredProtocols(input.span) {
    let offered = text(input[range.range])
    try require(values.contains { $0.contains(offered) }, "\(offered) was not received")
    try require(!offered.contains { $0 == "," || $0 == " " || $0 == "\t" || $0 == ";" }, "\(offered) is no protocol")
    let name = offered.lowercased().prefix { $0 != "/" }
    try require(!["http", "tls", "h2c", "h2", ""].contains(name), "\(offered) is offered")
  }
}

/// Credentials may be for a connection, unless all schemes are known to be about one request.
private func checkConnectionCredentials(
  _ head: borrowing RequestHead, _ fields: [ReadField], _ input: [UInt8]
) throws(Violation) {
  let credentials = fields.filter { $0.key == "authorization" }.map(\.value)
  // Byte by byte: characters of Unicode have other ideas of what is the same.
  let values = credentials.map { $0.utf8.map { (65...90).contains($0) ? $0 | 0x20 : $0 } }
  let schemes = ["ntlm", "negotiate", "kerberos", "nego2", "credssp", "gss-negotiate", "x"].map { Array($0.utf8) }
  let isFound = head.authenticatesConnection(input.span)
  let isFirst = values.contains { value in schemes.contains { value == $0 || value.starts(with: $0 + [0x20]) } }
  try require(isFound || !isFirst, "not recognised: \(credentials)")
  let plain = ["basic ", "bearer "].map { Array($0.utf8) }
  let isPlain = values.allSatisfy { value in
    value.isEmpty || !value.contains(0x2C) && plain.contains { value.starts(with: $0) }
  }
  try require(!isPlain || !isFound, "taken for a connection's: \(credentials)")
}

/// Sends a request on as the proxy does.
private func forward(_ head: borrowing RequestHead, _ target: RequestTarget, _ input: [UInt8]) throws(WireError)
  -> [UInt8]
{
  let output = ByteBuffer(capacity: 131_072)
  let bytes = input.span
  var writer = HeadWriter(output)
  writer.beginRequest(method: bytes.extracting(head.method.range))
  writer.target("/base")
  if target.path.isEmpty { writer.target("/") } else { writer.target(bytes.extracting(target.path.range)) }
  writer.target(bytes.extracting(Int(target.path.end)..<Int(target.pathAndQuery.end)))
  writer.endRequestLine()
  writer.host(Array("up.example".utf8).span, port: 8443)
  writer.forwardFields(of: head, bytes)
  if head.framing == .chunked { writer.chunkedFraming() }
  writer.lines(Array("Authorization: Bearer ours\r\n".utf8).span)
  writer.via(head.version, Array("m2m-proxy".utf8).span)
  try writer.end()
  return output.readableBytes.indices.map { output.readableBytes[$0] }
}
