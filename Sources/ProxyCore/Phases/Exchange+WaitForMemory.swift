internal import Bytes
internal import Reactor
internal import Upstream

extension Exchange {
  /// Waits until there is memory for the request, and closes idle connections meanwhile.
  ///
  /// - Throws: the same as ``wait(overdue:)``, and `noMemory`.
  func waitForMemory() async throws(ExchangeError) {
    let (gate, client) = (worker.memoryGate, clientKey)
    connection.waitsForMemory = true
    defer { connection.waitsForMemory = false }
    worker.easeMemory()
    let waiter: MemoryGate.Waiter
    // It may begin at once, but when memory is tight a smaller buffer is worth a copy anyway.
    connection.fitInput()
    let bytes = MemoryCost.request + (connection.input?.capacity ?? 0)
    switch gate.arrive(client, at: connection.wakeup, bytes: bytes, worker.loop.now) {
    case .begins: return
    case .isRefused: throw .noMemory
    case .waits(let waiting): waiter = waiting
    }
    worker.metrics.reached(.memory)
    worker.watchMemory()
    let began = worker.loop.now
    defer { outcome.clock.queued += worker.loop.now - began }
    connection.setDeadline(began + Self.longestWaitForMemory)
    do throws(ExchangeError) {
      while !waiter.isAdmitted {
        if waiter.isDisplaced { throw .noMemory }
        try await wait(overdue: .noMemory)
      }
    } catch {
      if waiter.isAdmitted { return }
      gate.withdraw(waiter, of: client)
      throw error
    }
  }

  /// Reserves memory for the response from now on.
  @inline(__always) func expectMemory() {
    local.expectedMemory.begin()
    holdings.expectsMemory = true
  }

  /// The response has its memory, or needs none.
  @inline(__always) func endExpectingMemory() {
    guard holdings.expectsMemory else { return }
    holdings.expectsMemory = false
    local.expectedMemory.end()
  }

  // Long enough for buffers that are about to be free, short enough for a client that can try again later.
  private static var longestWaitForMemory: Duration { .seconds(1) }
}
