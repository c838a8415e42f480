extension RequestHead {
  /// How many more times the request may be forwarded (RFC 9110 7.6.2): nil where it does not say, and for the methods
  /// for which it means nothing, all but OPTIONS and TRACE. What is beyond all numbers counts as the largest.
  ///
  /// Throws `malformedMaxForwards` where the field occurs twice, or is no number.
  public func maxForwards(_ bytes: Span<UInt8>) throws(WireError) -> UInt64? {
    guard methodKind == .options || methodKind == .trace, contains(.maxForwards) else { return nil }
    var found: UInt64?
    for line in fields where line.known == .maxForwards {
      guard found == nil, !line.value.isEmpty else { throw .malformedMaxForwards }
      var number: UInt64 = 0
      for offset in line.value.range {
        guard ByteClass.isDigit(bytes[offset]) else { throw .malformedMaxForwards }
        let (product, overflows) = number.multipliedReportingOverflow(by: 10)
        let (sum, overflowsAgain) = product.addingReportingOverflow(UInt64(bytes[offset] & 0x0f))
        number = overflows || overflowsAgain ? .max : sum
      }
      found = number
    }
    return found
  }
}
