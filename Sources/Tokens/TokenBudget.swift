/// How many tokens a client may have in a period.
public struct TokenBudget: Hashable, Sendable {
  /// How many.
  public let tokens: Int
  /// In which period.
  public let period: TokenPeriod
  /// Whether no token is fetched any more once they are spent; otherwise that is only told.
  public let stops: Bool

  /// A budget of `tokens`, at least 1, in each `period`.
  public init(tokens: Int, period: TokenPeriod, stops: Bool) {
    self.tokens = tokens
    self.period = period
    self.stops = stops
  }

  /// A budget of which so much is used that somebody should know.
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
