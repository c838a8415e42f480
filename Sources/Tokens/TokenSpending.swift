internal import Locks

/// What a client's tokens add up to, whatever they are for: authorization servers may charge for each.
public final class TokenSpending: Sendable {
  /// How many there may be; nil for as many as are needed.
  public let budget: TokenBudget?

  private struct Tally {
    var sinceStart = 0
    /// As the store knows them, or as this process does where there is none, or while it fails.
    var sums = TokenSums()
  }

  private let account: TokenAccount?
  private let tally = Monitor(Tally())

  /// Nothing is spent yet. With an `account` the tokens are counted in the store, if there is one.
  public init(budget: TokenBudget? = nil, account: TokenAccount? = nil) {
    self.budget = budget
    self.account = account
  }

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
      return alarm(after: issued, tally.sums, seconds)
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
      // By the store's own sums, of which everybody gets others: who reaches a mark is one, and nobody else.
      return (alarm(after: issued, sums, seconds), nil)
    } catch {
      return tally.withLock { tally in
        tally.sums.add(issued, atWallSeconds: seconds)
        return (alarm(after: issued, tally.sums, seconds), error)
      }
    }
  }

  private func alarm(after issued: Int, _ sums: TokenSums, _ seconds: Int64) -> TokenBudget.Alarm? {
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
