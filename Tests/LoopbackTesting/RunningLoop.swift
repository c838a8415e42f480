internal import Dispatch
public import Reactor

/// An event loop on a thread of its own, ended when this object goes.
public final class RunningLoop: Sendable {
  /// The loop.
  public let loop: EventLoop

  /// A loop that runs.
  public init() throws {
    loop = try EventLoop()
    try loop.startThread(named: "test loop")
  }

  deinit { loop.stop() }

  /// Starts `work` as a task of the loop; what it uses is the loop's from then on.
  public func start(_ work: @escaping () async -> Void) {
    nonisolated(unsafe) let work = work
    loop.start { unsafe await work() }
  }

  /// Runs `work` as a task of the loop and waits for what comes of it.
  public func run<Value>(_ work: @escaping () async throws -> Value) throws -> Value {
    let answer = Answer<Result<Value, any Error>>()
    // The test waits meanwhile, and so touches nothing that `work` does.
    nonisolated(unsafe) let work = work
    loop.start {
      do { answer.give(.success(unsafe try await work())) } catch { answer.give(.failure(error)) }
    }
    return try answer.take().get()
  }
}

/// A value that one thread waits for and another one brings.
public final class Answer<Value>: @unchecked Sendable {
  /// It did not come.
  public struct Missing: Error {}

  private let arrived = DispatchSemaphore(value: 0)
  private var value: Value?

  /// Nothing yet.
  public init() {}

  /// Brings the value.
  public func give(_ value: Value) {
    self.value = value
    arrived.signal()
  }

  /// Waits for the value.
  public func take() throws -> Value {
    guard arrived.wait(timeout: .now() + .seconds(20)) == .success, let value else { throw Missing() }
    return value
  }
}
