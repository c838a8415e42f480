internal import Encodings

extension RouteTable {
  /// The known host that is most like `host`, for the message about one that is not known, or not with that port; nil when
  /// none is similar, or when it would cost too much to find out.
  public func nearest(to host: Span<UInt8>) -> String? {
    guard host.count <= Self.longestCompared else { return nil }
    let wanted = (0..<host.count).map { host[$0].asciiLowercased }
    var rows = Rows()
    var best: String?
    // The most that is still similar, and after that less than the best so far.
    var bound = max(2, wanted.count / 3)
    for known in hostNames {
      guard bound >= 0 else { break }
      guard let distance = rows.distance(wanted, known.host, atMost: bound) else { continue }
      best = known.shown
      bound = distance - 1
    }
    return best
  }

  /// The longest host that is compared, in bytes: the work is the product of both lengths, and typing errors are not what
  /// is wrong with a longer name.
  public static var longestCompared: Int { 64 }

  // How many hosts are compared at most, however many proxy.conf has.
  static var mostCompared: Int { 200 }
}

/// The two rows of the table that is all that a comparison needs, for one after the other.
private struct Rows {
  private var previous: [Int] = []
  private var current: [Int] = []

  /// How many bytes have to be inserted, removed or replaced to make `one` of `other` (Levenshtein), if not more than `bound`.
  mutating func distance(_ one: [UInt8], _ other: [UInt8], atMost bound: Int) -> Int? {
    guard abs(one.count - other.count) <= bound else { return nil }
    let more = bound + 1
    previous = (0...other.count).map { min($0, more) }
    current = [Int](repeating: more, count: other.count + 1)
    for row in 0..<one.count {
      // What is farther from the diagonal than `bound` cannot be part of a way that short.
      let columns = max(0, row - bound)..<min(other.count, row + bound + 1)
      current[columns.lowerBound] = columns.lowerBound == 0 ? min(row + 1, more) : more
      var least = current[columns.lowerBound]
      for column in columns {
        let replaced = previous[column] + (one[row] == other[column] ? 0 : 1)
        let value = min(replaced, previous[column + 1] + 1, current[column] + 1, more)
        current[column + 1] = value
        least = min(least, value)
      }
      if columns.upperBound < other.count { current[columns.upperBound + 1] = more }
      guard least <= bound else { return nil }
      swap(&previous, &current)
    }
    let distance = previous[other.count]
    return distance <= bound ? distance : nil
  }
}
