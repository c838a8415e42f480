/// Which callers a listener serves.
public enum CallerRule: Sendable, Hashable {
  /// Any that is known.
  case known
  /// These: indices into ``ProxyConfiguration/callers``.
  case oneOf([Int])
}
