/// A stretch of the calendar (UTC) that issued tokens are counted in.
public enum TokenPeriod: String, Hashable, Sendable, CaseIterable {
  /// From one full hour to the next.
  case hour
  /// From midnight to midnight.
  case day
  /// From the first of a month to the first of the next.
  case month

  /// A number that differs between any two stretches; `seconds` are since 1970.
  public func number(atWallSeconds seconds: Int64) -> Int64 {
    switch self {
    case .hour: floorDivision(seconds, 3600)
    case .day: floorDivision(seconds, 86_400)
    case .month: Self.month(ofDay: floorDivision(seconds, 86_400))
    }
  }

  /// How many seconds there are until the next stretch begins: at least 1.
  func secondsLeft(atWallSeconds seconds: Int64) -> Int64 {
    let number = number(atWallSeconds: seconds)
    switch self {
    case .hour: return (number + 1) * 3600 - seconds
    case .day: return (number + 1) * 86_400 - seconds
    case .month:
      var day = floorDivision(seconds, 86_400) + 1
      while Self.month(ofDay: day) == number { day += 1 }
      return day * 86_400 - seconds
    }
  }

  /// Months since March of the year 0 in the Gregorian calendar, for a day counted from 1970-01-01.
  private static func month(ofDay day: Int64) -> Int64 {
    // Counted from 1 March, leap days come last in a year, and months have a regular pattern of 153 days in five.
    let sinceMarch = day + 719_468
    let era = floorDivision(sinceMarch, 146_097)
    let dayOfEra = sinceMarch - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    return (era * 400 + yearOfEra) * 12 + (5 * dayOfYear + 2) / 153
  }
}

private func floorDivision(_ dividend: Int64, _ divisor: Int64) -> Int64 {
  let quotient = dividend / divisor
  return dividend % divisor < 0 ? quotient - 1 : quotient
}
