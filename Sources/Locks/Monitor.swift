internal import Glibc

/// A value behind a mutex, with a condition to wait for: the only lock of this program.
///
/// `Synchronization.Mutex` has no condition, and the thread sanitizer cannot see into the library that handles its contended
/// path, so it reports races on the protected value. It does know the pthread functions.
@safe public final class Monitor<Value>: @unchecked Sendable {
  // Allocated, because neither may ever move; touched only by the pthread functions.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // Only read and written while the mutex is held, and shared with nothing outside (`sending`); this makes the class Sendable.
  private var value: Value

  /// Protects `value`.
  public init(_ value: consuming sending Value) {
    self.value = value
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    // A change of the system time must not end a wait early or late.
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  /// Calls `body` with the value, exclusively.
  public func withLock<R>(_ body: (inout sending Value) -> sending R) -> sending R {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(&value)
  }

  /// Waits while `isUnchanged` holds, for at most `milliseconds` if given, and then calls `body`.
  ///
  /// `isUnchanged` is called again after every ``wakeAll()``.
  public func wait<R>(
    while isUnchanged: (inout sending Value) -> Bool, milliseconds: Int? = nil,
    then body: (inout sending Value) -> sending R
  ) -> sending R {
    var deadline = timespec()
    if let milliseconds {
      unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
      let nanoseconds = deadline.tv_nsec + milliseconds % 1000 * 1_000_000
      deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
      deadline.tv_nsec = nanoseconds % 1_000_000_000
    }
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while isUnchanged(&value) {
      if milliseconds == nil {
        unsafe pthread_cond_wait(condition, mutex)
      } else if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
        break
      }
    }
    return body(&value)
  }

  /// Wakes all waiting threads, so that they check again.
  public func wakeAll() {
    unsafe pthread_cond_broadcast(condition)
  }
}
