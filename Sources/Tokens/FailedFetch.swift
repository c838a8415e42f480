/// A fetch that brought no token: why, and how long the server wants to be left alone.
struct FailedFetch: Error, Hashable {
  let cause: TokenFailure.Cause
  /// From Retry-After or RateLimit-Reset.
  var serverAsksToWait: Duration?

  init(_ cause: TokenFailure.Cause, serverAsksToWait: Duration? = nil) {
    self.cause = cause
    self.serverAsksToWait = serverAsksToWait
  }
}
