/// What becomes of a route's requests while there is no token.
public enum WithoutToken: String, Sendable, CaseIterable {
  /// They are answered with an error that says why.
  case refuse
  /// They go on without one.
  case forward
}
