internal import Locks

/// What a client's tokens add up to, whatever they are for: authorization servers may charge for each.
public final class TokenSpending: Sendable {
  /// How many there may be; nil for as many as are needed.
  public let budget: TokenBudget?

  private let tally = Monitor(TokenTally())

  /// Nothing is spent yet.
  public init(budget: TokenBudget? = nil) { self.budget = budget }

  /// How many tokens were issued since the start.
  public var sinceStart: Int { tally.withLock { $0.sinceStart } }

  /// How many tokens were issued in the running `period`; `seconds` are since 1970.
  public func issued(in period: TokenPeriod, atWallSeconds seconds: Int64) -> Int {
    tally.withLock { $0.issued(in: period, atWallSeconds: seconds) }
  }

  /// Counts `issued` tokens; gives the alarm that they raise.
  func count(_ issued: Int, atWallSeconds seconds: Int64) -> TokenBudget.Alarm? {
    guard issued > 0 else { return nil }
    return tally.withLock { tally in
      tally.count(issued, atWallSeconds: seconds)
      guard let budget else { return nil }
      return budget.alarm(used: tally.issued(in: budget.period, atWallSeconds: seconds), issued: issued)
    }
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
