internal import Locks

/// How many tokens a client may have in a period.
public struct TokenBudget: Hashable, Sendable {
  /// How many.
  public let tokens: Int
  /// In which period.
  public let period: TokenPeriod
  /// Whether no token is fetched any more once they are spent; otherwise that is only reported.
  public let stops: Bool

  /// A budget of `tokens`, at least 1, in each `period`.
  public init(tokens: Int, period: TokenPeriod, stops: Bool) {
    self.tokens = tokens
    self.period = period
    self.stops = stops
  }

  /// A budget of which so much is used that the operator should know.
  public struct Alarm: Hashable, Sendable {
    /// The budget.
    public let budget: TokenBudget
    /// How many tokens there were in the running period.
    public let used: Int
    /// Whether it is spent; otherwise four fifths of it are.
    public var isSpent: Bool { used >= budget.tokens }
  }

  /// The alarm that `issued` further tokens raise, after which there were `used`: one at four fifths, one at the end.
  func alarm(used: Int, issued: Int) -> Alarm? {
    let raised = [(tokens * 4 + 4) / 5, tokens].contains { used >= $0 && used - issued < $0 }
    return raised ? Alarm(budget: self, used: used) : nil
  }
}

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

/// Whose tokens are counted together, in all processes that share a store.
public struct TokenAccount: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String

  /// An account made of its parts.
  public init(credentials: String, endpoint: String, clientID: String) {
    self.credentials = credentials
    self.endpoint = endpoint
    self.clientID = clientID
  }
}

/// What a client's tokens add up to, whatever they are for: authorization servers may charge for each.
public final class TokenSpending: Sendable {
  private struct Tally {
    var budget: TokenBudget?
    var sinceStart = 0
    /// As the store knows them, or as this process does where there is none, or while it fails.
    var sums = TokenSums()
  }

  /// Whose tokens are counted.
  public let account: TokenAccount?
  private let tally: Monitor<Tally>

  /// Nothing is spent yet. With an `account` the tokens are counted in the store, if there is one.
  public init(budget: TokenBudget? = nil, account: TokenAccount? = nil) {
    tally = Monitor(Tally(budget: budget))
    self.account = account
  }

  /// How many there may be; nil for as many as are needed.
  public var budget: TokenBudget? { tally.withLock { $0.budget } }

  /// From now on `budget` holds. What was spent stays spent.
  public func change(budget: TokenBudget?) { tally.withLock { $0.budget = budget } }

  /// How many tokens were issued to this process.
  public var sinceStart: Int { tally.withLock { $0.sinceStart } }

  /// How many tokens were issued in the running `period`, as far as is known; `seconds` are since 1970.
  public func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    tally.withLock { $0.sums.issued(in: period, atWallSeconds: seconds) }
  }

  /// Counts `issued` tokens; gives the alarm that they raise.
  func count(_ issued: Int, atWallSeconds seconds: Int64) -> TokenBudget.Alarm? {
    guard issued > 0 else { return nil }
    return tally.withLock { tally in
      tally.sinceStart += issued
      tally.sums.add(issued, atWallSeconds: seconds)
      return Self.alarm(after: issued, tally.sums, seconds, tally.budget)
    }
  }

  /// Counts `issued` tokens in `store`, where those of other processes and of earlier ones are too; with 0 it only
  /// looks. What cannot be counted there is counted here, and there the next time.
  func count(
    _ issued: Int, in store: any TokenStore, atWallSeconds seconds: Int64
  ) async -> (alarm: TokenBudget.Alarm?, problem: TokenStoreProblem?) {
    guard let account else { return (count(issued, atWallSeconds: seconds), nil) }
    let known = tally.withLock { tally in
      tally.sinceStart += issued
      return tally.sums
    }
    do {
      let sums = try await store.count(issued, for: account, knowing: known, atWallSeconds: seconds)
      tally.withLock { $0.sums.merge(sums, atWallSeconds: seconds) }
      // By the store's own sums, which differ for each process: exactly one process reaches a mark.
      return (Self.alarm(after: issued, sums, seconds, budget), nil)
    } catch {
      return tally.withLock { tally in
        tally.sums.add(issued, atWallSeconds: seconds)
        return (Self.alarm(after: issued, tally.sums, seconds, tally.budget), error)
      }
    }
  }

  private static func alarm(
    after issued: Int, _ sums: TokenSums, _ seconds: Int64, _ budget: TokenBudget?
  ) -> TokenBudget.Alarm? {
    guard let budget, issued > 0 else { return nil }
    return budget.alarm(used: sums.issued(in: budget.period, atWallSeconds: seconds), issued: issued)
  }

  /// Why no token may be fetched now, with the time until one may be; nil when one may.
  func refusal(atWallSeconds seconds: Int64) -> FailedFetch? {
    guard let budget, budget.stops, issued(in: budget.period, atWallSeconds: seconds) >= budget.tokens else {
      return nil
    }
    let left = budget.period.secondsLeft(atWallSeconds: seconds)
    return FailedFetch(.budgetSpent(budget), serverAsksToWait: .seconds(left))
  }
}
