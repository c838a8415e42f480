/// Counts issued tokens: since the start, and in the current hour, day and month (UTC).
struct TokenTally {
  private(set) var sinceStart = 0
  private var current: [TokenPeriod: (number: Int64, count: Int)] = [:]

  mutating func count(_ issued: Int, atWallSeconds seconds: Int64) {
    sinceStart += issued
    for period in TokenPeriod.allCases {
      let before = self.issued(in: period, atWallSeconds: seconds)
      current[period] = (period.number(atWallSeconds: seconds), before + issued)
    }
  }

  /// How many there were in the `period` that is running.
  func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    guard let counted = current[period], counted.number == period.number(atWallSeconds: seconds) else { return 0 }
    return counted.count
  }
}
