extension Span<UInt8> {
  /// How many lines end in these bytes.
  var lineCount: Int {
    var lines = 0
    for index in indices { lines &+= unsafe self[unchecked: index] == UInt8(ascii: "\n") ? 1 : 0 }
    return lines
  }

  /// The length of as many whole lines, from the first one on, as fit into `limit` bytes.
  func wholeLines(within limit: Int) -> Int {
    guard count > limit else { return count }
    var end = Swift.max(limit, 0)
    while end > 0 && self[end - 1] != UInt8(ascii: "\n") { end -= 1 }
    return end
  }
}
