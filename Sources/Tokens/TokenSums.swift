/// How many tokens were issued in the hour, the day and the month in which the last one was (UTC).
public struct TokenSums: Hashable, Sendable {
  /// A count, and the stretch of the calendar that it is for.
  public struct Sum: Hashable, Sendable {
    /// Which stretch: ``TokenPeriod/number(atWallSeconds:)``.
    public let number: Int64
    /// How many tokens.
    public let count: Int

    /// A sum made of its parts.
    public init(number: Int64, count: Int) {
      self.number = number
      self.count = count
    }
  }

  /// The sums by period; a period that is missing has none.
  public private(set) var sums: [TokenPeriod: Sum]

  /// Sums by period.
  public init(_ sums: [TokenPeriod: Sum] = [:]) { self.sums = sums }

  /// Counts `issued` further tokens.
  public mutating func add(_ issued: Int, atWallSeconds seconds: Int64) {
    guard issued > 0 else { return }
    for period in TokenPeriod.allCases {
      let (sum, overflow) = self.issued(in: period, atWallSeconds: seconds).addingReportingOverflow(issued)
      sums[period] = Sum(number: period.number(atWallSeconds: seconds), count: overflow ? .max : sum)
    }
  }

  /// How many there were in the `period` that is running; `seconds` are since 1970.
  public func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    guard let sum = sums[period], sum.number == period.number(atWallSeconds: seconds) else { return 0 }
    return sum.count
  }

  /// Takes from `other` what is more, in the stretches that run at `seconds`; older ones are forgotten.
  public mutating func merge(_ other: TokenSums, atWallSeconds seconds: Int64) {
    for period in TokenPeriod.allCases {
      let count = max(issued(in: period, atWallSeconds: seconds), other.issued(in: period, atWallSeconds: seconds))
      sums[period] = Sum(number: period.number(atWallSeconds: seconds), count: count)
    }
  }
}
