/// Counts the tokens that were fetched: since the start, and on the current day (UTC).
struct TokenTally {
  private(set) var sinceStart = 0
  private var day: Int64?
  private var countOfDay = 0

  mutating func count(atWallSeconds seconds: Int64) {
    let today = Self.day(of: seconds)
    if day != today { countOfDay = 0 }
    day = today
    countOfDay += 1
    sinceStart += 1
  }

  func today(atWallSeconds seconds: Int64) -> Int { day == Self.day(of: seconds) ? countOfDay : 0 }

  private static func day(of seconds: Int64) -> Int64 { seconds / 86_400 }
}
