internal import Locks

/// How many tokens a client may have in a period.
public struct TokenBudget: Hashable, Sendable {
  /// The number of tokens.
  public let tokens: Int
  /// The period that it applies to.
  public let period: TokenPeriod
  /// Whether to stop fetching once it is spent; otherwise that is only reported.
  public let stops: Bool

  /// A budget of `tokens`, at least 1, in each `period`.
  public init(tokens: Int, period: TokenPeriod, stops: Bool) {
    self.tokens = tokens
    self.period = period
    self.stops = stops
  }

  /// Reports that so much of a budget is used that the operator should know.
  public struct Alarm: Hashable, Sendable {
    /// The budget.
    public let budget: TokenBudget
    /// How many tokens were issued in the current period.
    public let used: Int
    /// Whether the budget is spent; otherwise four fifths of it are.
    public var isSpent: Bool { used >= budget.tokens }
  }

  /// The alarm that `issued` further tokens raise, which made the sum `used`: one at four fifths, one at the end.
  func alarm(used: Int, issued: Int) -> Alarm? {
    let raised = [(tokens * 4 + 4) / 5, tokens].contains { used >= $0 && used - issued < $0 }
    return raised ? Alarm(budget: self, used: used) : nil
  }
}

/// A calendar period (UTC) in which issued tokens are counted.
public enum TokenPeriod: String, Hashable, Sendable, CaseIterable {
  /// From one full hour to the next.
  case hour
  /// From midnight to midnight.
  case day
  /// From the first of a month to the first of the next.
  case month

  /// A number that differs between any two periods of this kind; `seconds` are since 1970.
  public func number(atWallSeconds seconds: Int64) -> Int64 {
    switch self {
    case .hour: floorDivision(seconds, 3600)
    case .day: floorDivision(seconds, 86_400)
    case .month: Self.month(ofDay: floorDivision(seconds, 86_400))
    }
  }

  /// How many seconds there are until the next period begins: at least 1.
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
    // Counting from 1 March, leap days come last in a year, and months have a regular pattern of 153 days in five.
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

/// How many tokens were issued in the hour, the day and the month (UTC) of the last one.
public struct TokenSums: Hashable, Sendable {
  /// A count, and the period that it is for.
  public struct Sum: Hashable, Sendable {
    /// Which period: ``TokenPeriod/number(atWallSeconds:)``.
    public let number: Int64
    /// How many tokens.
    public let count: Int

    /// Creates a sum.
    public init(number: Int64, count: Int) {
      self.number = number
      self.count = count
    }
  }

  /// The sums by period; a missing one means none.
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

  /// How many were issued in the current `period`; `seconds` are since 1970.
  public func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    guard let sum = sums[period], sum.number == period.number(atWallSeconds: seconds) else { return 0 }
    return sum.count
  }

  /// Takes the larger of each pair of sums, for the periods current at `seconds`; older sums are forgotten.
  public mutating func merge(_ other: TokenSums, atWallSeconds seconds: Int64) {
    for period in TokenPeriod.allCases {
      let count = max(issued(in: period, atWallSeconds: seconds), other.issued(in: period, atWallSeconds: seconds))
      sums[period] = Sum(number: period.number(atWallSeconds: seconds), count: count)
    }
  }
}

/// The client whose tokens are counted together, in all processes that share a store.
public struct TokenAccount: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String

  /// Creates an account.
  public init(credentials: String, endpoint: String, clientID: String) {
    self.credentials = credentials
    self.endpoint = endpoint
    self.clientID = clientID
  }
}

/// Counts a client's tokens, whatever they are for: authorization servers may charge for each.
public final class TokenSpending: Sendable {
  private struct Tally {
    var budget: TokenBudget?
    var sinceStart = 0
    /// As the store knows them; as this process does if there is no store, or it fails.
    var sums = TokenSums()
  }

  /// The account that tokens count for.
  public let account: TokenAccount?
  private let tally: Monitor<Tally>

  /// Nothing is spent yet. With an `account` the tokens are counted in the store, if there is one.
  public init(budget: TokenBudget? = nil, account: TokenAccount? = nil) {
    tally = Monitor(Tally(budget: budget))
    self.account = account
  }

  /// How many tokens may be issued; nil for no limit.
  public var budget: TokenBudget? { tally.withLock { $0.budget } }

  /// Applies `budget` from now on. What was spent stays spent.
  public func change(budget: TokenBudget?) { tally.withLock { $0.budget = budget } }

  /// How many tokens were issued to this process.
  public var sinceStart: Int { tally.withLock { $0.sinceStart } }

  /// How many tokens were issued in the current `period`, as far as is known; `seconds` are since 1970.
  public func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    tally.withLock { $0.sums.issued(in: period, atWallSeconds: seconds) }
  }

  /// Counts `issued` tokens; returns the alarm that they raise.
  func count(_ issued: Int, atWallSeconds seconds: Int64) -> TokenBudget.Alarm? {
    guard issued > 0 else { return nil }
    return tally.withLock { tally in
      tally.sinceStart += issued
      tally.sums.add(issued, atWallSeconds: seconds)
      return Self.alarm(after: issued, tally.sums, seconds, tally.budget)
    }
  }

  /// Counts `issued` tokens in `store`, together with those of other and earlier processes; 0 only reads the sums.
  /// Tokens that cannot be counted there are counted here, and in the store the next time.
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
      // By the sums that the store returned, different ones for each process: exactly one process reaches a mark.
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

  /// Why no token may be fetched now, with the time until one may be; nil if one may.
  func refusal(atWallSeconds seconds: Int64) -> FailedFetch? {
    guard let budget, budget.stops, issued(in: budget.period, atWallSeconds: seconds) >= budget.tokens else {
      return nil
    }
    let left = budget.period.secondsLeft(atWallSeconds: seconds)
    return FailedFetch(.budgetSpent(budget), serverAsksToWait: .seconds(left))
  }
}
