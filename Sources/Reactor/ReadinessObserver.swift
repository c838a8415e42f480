/// Whoever is told that a ``ByteStream``'s readiness changed: a task's ``Wakeup``, or the keeper of idle connections.
open class ReadinessObserver {
  /// An observer that nothing reports to yet.
  public init() {}

  /// Called on the loop's thread after the stream has noted its news.
  open func readinessChanged() {
    preconditionFailure("a ReadinessObserver says what it does")
  }
}
