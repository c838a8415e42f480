/// How many tokens credentials may cost.
public struct CredentialsBudget: Sendable, Hashable {
  /// The stretch of the calendar (UTC) that a budget is for.
  public enum Period: String, CaseIterable, Sendable {
    case hour, day, month
  }

  /// What happens when the budget is spent.
  public enum WhenSpent: String, CaseIterable, Sendable {
    /// A line in the log.
    case warn
    /// No token is fetched until the next period; the current one is used as long as it lives.
    case stop
  }

  /// How many tokens, from 1.
  public var tokens: Int
  /// In which period.
  public var period: Period
  /// What happens when they are spent.
  public var whenSpent: WhenSpent
}
