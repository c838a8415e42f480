/// Buffers that are lent to work and taken back, so that an idle connection holds none.
///
/// One pool belongs to one event loop. It keeps at most `keeping` free buffers, the most recently used first: work that
/// gives its buffers back before it waits makes that work for all connections in the same few, which the processor's
/// caches hold.
public final class BufferPool {
  /// The capacity of every buffer of this pool, in bytes.
  public let bufferCapacity: Int
  /// In the place of a buffer where there is nothing to hold; not lent, and given back to no avail.
  public let empty = ByteBuffer(capacity: 0)

  private let keeping: Int
  private var free: [ByteBuffer] = []
  private var freeSmall: [ByteBuffer] = []

  // What is only waited with is mostly the head of a request, and most heads are smaller than this.
  private static let smallCapacity = 1024
  private static let smallKept = 1024

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
  public func giveBack(_ buffer: consuming ByteBuffer) {
    if buffer.capacity == bufferCapacity {
      guard free.count < keeping else { return }
      buffer.removeAll()
      free.append(buffer)
    } else if buffer.capacity == Self.smallCapacity, freeSmall.count < Self.smallKept {
      buffer.removeAll()
      freeSmall.append(buffer)
    }
  }

  /// Takes back the buffer in `place`, where ``empty`` is from then on.
  public func takeBack(_ place: inout ByteBuffer) {
    guard place.capacity > 0 else { return }
    var buffer = empty
    swap(&buffer, &place)
    giveBack(buffer)
  }

  /// Takes back the buffer in `place`, if there is one.
  public func takeBack(_ place: inout ByteBuffer?) {
    if let buffer = place.take() { giveBack(buffer) }
  }

  /// Takes `buffer`, which is to be waited with, and returns what is in it in as small a buffer as that fits into.
  public func shrink(_ buffer: ByteBuffer) -> ByteBuffer {
    guard buffer.capacity > Self.smallCapacity, buffer.count <= Self.smallCapacity else { return buffer }
    return move(buffer, to: freeSmall.popLast() ?? ByteBuffer(capacity: Self.smallCapacity))
  }

  /// An empty small buffer, for what may come slowly and is not needed before it is whole; see ``double(_:)``.
  public func lendSmall() -> ByteBuffer {
    freeSmall.popLast() ?? ByteBuffer(capacity: Self.smallCapacity)
  }

  /// Takes `buffer`, and returns what is in it in one that is twice as large.
  public func double(_ buffer: ByteBuffer) -> ByteBuffer {
    move(buffer, to: ByteBuffer(capacity: max(Self.smallCapacity, buffer.capacity * 2)))
  }

  /// Takes `buffer`, which a wait begins with, and returns what is in it in a small buffer, or in one that is less than twice
  /// as large as what is in it.
  public func fit(_ buffer: ByteBuffer) -> ByteBuffer {
    var capacity = Self.smallCapacity
    while capacity < buffer.count { capacity *= 2 }
    guard capacity < buffer.capacity else { return buffer }
    return move(buffer, to: capacity == Self.smallCapacity ? lendSmall() : ByteBuffer(capacity: capacity))
  }

  /// Takes `buffer`, which may have been shrunk, and returns what is in it in one that has room for more.
  public func grow(_ buffer: ByteBuffer) -> ByteBuffer {
    buffer.capacity < bufferCapacity ? move(buffer, to: lend()) : buffer
  }

  private func move(_ buffer: ByteBuffer, to other: ByteBuffer) -> ByteBuffer {
    other.append(buffer.readableBytes)
    giveBack(buffer)
    return other
  }
}
