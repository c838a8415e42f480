extension RequestHead {
  /// The protocols that the client offers to switch to, in order (RFC 9110 section 7.8); empty if it offers none, or if an
  /// Upgrade field is malformed, which counts as none.
  ///
  /// HTTP and TLS are left out: a proxy speaks those on each side by itself.
  public func offeredProtocols(_ bytes: Span<UInt8>) -> [ByteRange] {
    guard hasUpgrade, var protocols = upgradeProtocols(of: fields, bytes) else { return [] }
    protocols.removeAll { bytes.isHTTPOrTLS($0) }
    return protocols
  }
}

extension ResponseHead {
  /// The protocols that a 101 switches to, the lowest layer first (RFC 9110 section 7.8); empty if it does not name them as it
  /// must.
  public func chosenProtocols(_ bytes: Span<UInt8>) -> [ByteRange] {
    guard hasUpgrade else { return [] }
    return upgradeProtocols(of: fields, bytes) ?? []
  }
}

extension Span<UInt8> {
  /// Whether the protocols at `first` in these bytes and at `second` in `others` are the same, ignoring case.
  public func isSameProtocol(_ first: ByteRange, as second: ByteRange, in others: Span<UInt8>) -> Bool {
    guard first.count == second.count else { return false }
    for (left, right) in zip(first.range, second.range)
    where lowercased(left) != others.lowercased(right) { return false }
    return true
  }

  /// Whether it is a name, or a name and a version.
  fileprivate func isProtocol(_ range: ByteRange) -> Bool {
    let name = protocolName(range)
    guard isToken(name) else { return false }
    return name.end == range.end || isToken(ByteRange(Int(name.end) + 1..<Int(range.end)))
  }

  fileprivate func isHTTPOrTLS(_ range: ByteRange) -> Bool {
    let name = protocolName(range)
    return equals("http", ignoringCaseAt: name) || equals("tls", ignoringCaseAt: name)
      || equals("h2c", ignoringCaseAt: name) || equals("h2", ignoringCaseAt: name)
  }

  private func protocolName(_ range: ByteRange) -> ByteRange {
    var end = Int(range.start)
    while end < Int(range.end), self[end] != UInt8(ascii: "/") { end += 1 }
    return ByteRange(Int(range.start)..<end)
  }
}

// Each offered protocol is compared with each chosen one.
private let mostProtocols = 16

/// The protocols of all Upgrade fields; nil if one field is malformed, or there are too many.
private func upgradeProtocols(of fields: [FieldLine], _ bytes: Span<UInt8>) -> [ByteRange]? {
  var protocols: [ByteRange] = []
  for line in fields where line.known == .upgrade {
    var elements = ListElements(line.value)
    while let element = elements.next(bytes) {
      if element.isEmpty { continue }
      guard bytes.isProtocol(element), protocols.count < mostProtocols else { return nil }
      protocols.append(element)
    }
  }
  return protocols
}
