import Deliveries
import Glibc
import HTTPWire

private func parse(_ message: [UInt8], _ range: Range<Int>, _ method: HTTPWire.Method) -> RequestTarget? {
  do throws(WireError) {
    return try RequestTarget.parse(message.span, target: ByteRange(range), method: method)
  } catch {
    return nil
  }
}

/// A target that is accepted is made of its parts, reads the same wherever it stands, and has a host that means the
/// same to the C library.
func checkTarget(_ input: [UInt8]) throws(Violation) {
  guard let choice = input.first else { return }
  let bytes = Array(input.dropFirst())
  let method = [HTTPWire.Method.get, .options, .connect][Int(choice) % 3]
  try checkNormalisation(bytes)
  let alone = parse(bytes, 0..<bytes.count, method)
  let surrounded = Array("@#:".utf8) + bytes + Array("@#:".utf8)
  let within = parse(surrounded, 3..<surrounded.count - 3, method)
  try require((alone == nil) == (within == nil), "what surrounds the target decides whether it is accepted")
  guard let target = alone, let within else { return }
  let path = text(bytes[target.path.range])
  let query = target.query.map { "?" + text(bytes[$0.range]) } ?? ""
  let pathAndQuery = text(bytes[target.pathAndQuery.range])
  try require(path + query == pathAndQuery, "\(path) and \(query) are not \(pathAndQuery)")
  try require(!pathAndQuery.contains("#") && !pathAndQuery.contains(" "), "the path is \(pathAndQuery)")
  try require(text(surrounded[within.pathAndQuery.range]) == pathAndQuery, "moved, the path is another")
  switch target.form {
  case .origin: try require(pathAndQuery == text(bytes) && path.hasPrefix("/"), "origin form with \(pathAndQuery)")
  case .asterisk: try require(method == .options && bytes == Array("*".utf8), "\(text(bytes)) is no asterisk")
  case .authority: try require(method == .connect && target.port != nil, "\(text(bytes)) without a port")
  case .absolute: try require(target.scheme != nil && (path.isEmpty || path.hasPrefix("/")), "path \(path)")
  }
  guard let authority = target.authority else { return }
  try checkAuthority(authority, bytes)
  guard let scheme = target.scheme else { return }
  // Written again, it is the same place.
  let host = text(bytes[authority.host.range])
  let written =
    "\(scheme == .http ? "http" : "https")://" + (authority.isIPv6Literal ? "[\(host)]" : host)
    + (authority.port.map { ":\($0)" } ?? "") + pathAndQuery
  let rewritten = written.unicodeScalars.map { UInt8($0.value) }
  let again = parse(rewritten, 0..<rewritten.count, method)
  try require(
    again?.authority?.kind == authority.kind && again?.port == target.port
      && again.map { text(rewritten[$0.pathAndQuery.range]) } == pathAndQuery, "\(text(bytes)) became \(written)")
}

/// What is corrected in a target needs no further correction, and where it is accepted it has no fragment, no user and no raw
/// byte.
private func checkNormalisation(_ bytes: [UInt8]) throws(Violation) {
  // The request line lets no control characters through, and is read again after a correction.
  guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return }
  guard let first = try? NormalisedTarget(bytes.span) else { return }
  let corrected = first.bytes
  guard let target = parse(corrected, 0..<corrected.count, .get) else { return }
  let change = "\(text(bytes)) became \(text(corrected))"
  try require(!target.hasUnwiseBytes && !corrected.contains(UInt8(ascii: "#")), change)
  try require(corrected.allSatisfy { $0 > 0x20 && $0 < 0x7f }, change)
  let again = try? NormalisedTarget(corrected.span)
  try require(again?.bytes == corrected && again?.changes.isEmpty == true, "\(text(corrected)) is corrected again")
  // A target that was accepted as it was is the same place afterwards.
  guard let before = parse(bytes, 0..<bytes.count, .get), !before.hasUnwiseBytes else { return }
  try require(corrected == bytes, "\(text(bytes)) was accepted, and became \(text(corrected))")
}

private func checkAuthority(_ authority: Authority, _ bytes: [UInt8]) throws(Violation) {
  let host = text(bytes[authority.host.range])
  try require(!host.isEmpty && !host.contains { "@/?#%\\ ".contains($0) }, "the host is \(host)")
  try require(authority.port != 0, "port 0")
  var v4 = in_addr()
  var v6 = in6_addr()
  let isV4 = unsafe inet_pton(AF_INET, host, &v4) == 1
  let isV6 = unsafe inet_pton(AF_INET6, host, &v6) == 1
  switch authority.kind {
  case .ipv4(let address):
    try require(isV4 && UInt32(bigEndian: v4.s_addr) == address, "\(host) is not \(address)")
  case .ipv6(let address):
    let read = unsafe withUnsafeBytes(of: &v6) { unsafe $0.reduce(0 as UInt128) { $0 << 8 | UInt128($1) } }
    try require(isV6 && read == address, "\(host) is not \(address)")
  case .name:
    // inet_aton takes what browsers and curl take: 127.1, 0x7f.1, 2130706433.
    try require(
      unsafe inet_aton(authority.hasTrailingDot ? String(host.dropLast()) : host, &v4) == 0,
      "the name \(host) is an address")
  }
}
