extension RouteTable {
  /// The known host that is most like `host`, for the message about one that is not known, or not with that port; nil
  /// when none is similar.
  func nearest(to host: String) -> String? {
    let wanted = Array(host.lowercased().utf8)
    var best: (name: String, distance: Int)?
    for known in hostNames.prefix(Self.mostCompared) {
      let distance = Self.distance(wanted, Array(known.host.utf8))
      if distance < best?.distance ?? Int.max { best = (known.shown, distance) }
    }
    guard let best, best.distance <= max(2, wanted.count / 3) else { return nil }
    return best.name
  }

  // Whoever sends what no route matches must not keep the loop busy with thousands of comparisons.
  private static var mostCompared: Int { 200 }

  /// How many bytes have to be inserted, removed or replaced to make one of the other (Levenshtein).
  private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var previous = Array(0...other.count)
    for (row, byte) in one.enumerated() {
      var current = [row + 1]
      for (column, candidate) in other.enumerated() {
        let replaced = previous[column] + (byte == candidate ? 0 : 1)
        current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
      }
      previous = current
    }
    return previous[other.count]
  }
}
