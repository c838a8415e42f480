/// What a request for a token gets at once.
public enum TokenAvailability: Sendable {
  /// A token that is valid now.
  case available(AccessToken)
  /// A place among those who wait.
  case pending(TokenWaiter)
  /// No token now, and none soon.
  case failed(TokenFailure)
}

/// A place among those who wait at a ``TokenSource``.
public struct TokenWaiter: Hashable, Sendable {
  let number: UInt64
}
