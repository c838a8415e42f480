import Synchronization

/// A run of 64-bit atomics that shares no cache line with anything else.
///
/// Every event loop counts in cells of its own. Two loops that wrote to one line would pass it back and forth at
/// every request, so a run begins at, and is padded to, a multiple of 128 bytes: two lines, because the
/// prefetcher of common processors fetches them in pairs.
@safe struct AtomicCells: ~Copyable, Sendable {
  private static var alignment: Int { 128 }

  let count: Int

  // Owned by this value alone, initialised for its whole life, and only ever reached through atomics.
  nonisolated(unsafe) private let cells: UnsafeMutablePointer<Atomic<UInt64>>

  /// `count` cells, each 0.
  init(count: Int) {
    self.count = count
    let used = count * MemoryLayout<Atomic<UInt64>>.stride
    let padded = (used + Self.alignment - 1) / Self.alignment * Self.alignment
    let memory = UnsafeMutableRawPointer.allocate(byteCount: padded, alignment: Self.alignment)
    unsafe cells = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    for index in 0..<count { unsafe (cells + index).initialize(to: Atomic(0)) }
  }

  deinit {
    unsafe cells.deinitialize(count: count)
    unsafe UnsafeMutableRawPointer(cells).deallocate()
  }

  /// Adds `amount`, wrapping, to the cell at `index`.
  @inline(__always)
  func add(_ amount: UInt64, at index: Int) {
    precondition(index >= 0 && index < count, "there is no such cell")
    unsafe cells[index].wrappingAdd(amount, ordering: .relaxed)
  }

  /// Replaces the value of the cell at `index`.
  func store(_ value: UInt64, at index: Int) {
    precondition(index >= 0 && index < count, "there is no such cell")
    unsafe cells[index].store(value, ordering: .relaxed)
  }

  /// The value of the cell at `index`.
  func load(at index: Int) -> UInt64 {
    precondition(index >= 0 && index < count, "there is no such cell")
    return unsafe cells[index].load(ordering: .relaxed)
  }
}
