/// A deadline on an event loop that can be moved at no cost.
///
/// A connection moves its deadline several times a request, and hardly ever reaches it. So moving it later only
/// stores the new moment: the entry in the loop's queue stays where it is, and when its time comes it is put back to
/// the moment that counts by then.
public final class LoopTimer {
  /// When `action` is due.
  public internal(set) var deadline = Instant.never
  /// The moment of this timer's live entry in the loop's queue.
  var queuedAt: Instant?
  /// Called on the loop's thread when the deadline has passed.
  public var action: (() -> Void)?

  /// A timer without a deadline.
  public init() {}

  /// Lets go of the action; the timer fires no more.
  func retire() {
    deadline = .never
    action = nil
  }

  func fire() {
    deadline = .never
    action?()
  }
}
