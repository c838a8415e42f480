import Foundation

extension DispatchQueue {
  /// Starts `body`, and returns a function that waits for its result.
  func asyncResult<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> () -> Result {
    let item = ResultBox<Result>()
    async { item.finish(body()) }
    return { item.wait() }
  }
}

private final class ResultBox<Result: Sendable>: @unchecked Sendable {
  private let done = DispatchSemaphore(value: 0)
  // Written before the semaphore is signalled, and read after it was waited for.
  private var result: Result?

  func finish(_ result: Result) {
    self.result = result
    done.signal()
  }

  func wait() -> Result {
    done.wait()
    return result!
  }
}
