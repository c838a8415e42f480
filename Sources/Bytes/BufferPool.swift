/// Buffers that are lent to work and taken back, so that an idle connection holds none.
///
/// One pool belongs to one event loop. It keeps at most `keeping` free buffers, the most recently used first.
public final class BufferPool {
  /// The capacity of every buffer of this pool, in bytes.
  public let bufferCapacity: Int

  private let keeping: Int
  private var free: [ByteBuffer] = []

  /// A pool of buffers of `bufferCapacity` bytes that keeps up to `keeping` of them for reuse.
  public init(bufferCapacity: Int, keeping: Int) {
    self.bufferCapacity = bufferCapacity
    self.keeping = keeping
  }

  /// An empty buffer; give it back with ``giveBack(_:)``.
  public func lend() -> ByteBuffer {
    free.popLast() ?? ByteBuffer(capacity: bufferCapacity)
  }

  /// Takes `buffer` back for the next borrower; what is in it is dropped.
  public func giveBack(_ buffer: ByteBuffer) {
    guard free.count < keeping else { return }
    buffer.removeAll()
    free.append(buffer)
  }
}
