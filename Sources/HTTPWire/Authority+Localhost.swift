extension Authority {
  /// Whether the host is one of the names that always mean this machine (RFC 6761 6.3): `localhost`, and all below it.
  public func isLocalhost(_ bytes: Span<UInt8>) -> Bool {
    let length = 9
    let name = nameWithoutDot
    guard kind == .name, name.count >= length else { return false }
    let start = Int(name.end) - length
    guard name.count == length || bytes[start - 1] == UInt8(ascii: ".") else { return false }
    return bytes.equals("localhost", count: length, at: start)
  }
}
