import Addresses
import ProxyProtocol

private func read(_ bytes: [UInt8]) -> Result<ProxyHeader?, ProxyHeaderError> {
  do throws(ProxyHeaderError) {
    return .success(try ProxyHeader.parse(bytes.span))
  } catch {
    return .failure(error)
  }
}

/// A header is the same whatever follows it and in whichever pieces it comes, and never reaches beyond what is there.
func checkProxyHeader(_ input: [UInt8]) throws(Violation) {
  switch read(input) {
  case .failure(let error):
    // What is wrong stays wrong.
    guard case .failure(error) = read(input + Array("GET / HTTP/1.1\r\n".utf8)) else {
      throw Violation(description: "\(error) went away with the bytes that follow")
    }
  case .success(nil):
    try require(input.count < ProxyHeader.mostBytes, "\(input.count) bytes, and no end")
  case .success(let header?):
    try require((8...ProxyHeader.mostBytes).contains(header.length), "\(header.length) bytes")
    try require(header.length <= input.count, "\(header.length) of \(input.count) bytes")
    try require((header.source == nil) == (header.destination == nil), "one end only")
    for end in 0..<header.length {
      guard case .success(nil) = read(Array(input[..<end])) else {
        throw Violation(description: "the first \(end) of \(header.length) bytes are more than a beginning")
      }
    }
    guard case .success(header?) = read(Array(input[..<header.length])) else {
      throw Violation(description: "alone it is another")
    }
    try checkWrittenAnew(header)
  }
}

/// Written as version 1 writes it, it means the same.
private func checkWrittenAnew(_ header: ProxyHeader) throws(Violation) {
  guard let source = header.source, let destination = header.destination else { return }
  let isV4 = if case .v4 = source.address { true } else { false }
  let line =
    "PROXY \(isV4 ? "TCP4" : "TCP6") \(source.address.text) \(destination.address.text) "
    + "\(source.port) \(destination.port)\r\n"
  guard case .success(let again?) = read(Array(line.utf8)) else {
    throw Violation(description: "\(line) is not read")
  }
  try require(
    again.source == source && again.destination == destination && again.length <= 107, "\(line) became \(again)")
}
