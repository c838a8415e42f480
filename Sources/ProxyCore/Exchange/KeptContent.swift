internal import Bytes

/// The content of a request as it was received, framing and all, for as long as it is small enough to be kept: what it
/// takes to send the request once more.
///
/// It holds a buffer only while it keeps something.
struct KeptContent {
  private let pool: BufferPool
  private let limit: Int
  private var buffer: ByteBuffer?
  /// Whether nothing that was received is missing.
  private(set) var isWhole = true

  /// - Parameter limit: how many bytes are kept; when there are more, none are.
  init(_ pool: BufferPool, limit: Int) {
    self.pool = pool
    self.limit = min(limit, pool.bufferCapacity)
  }

  /// How many bytes there could be.
  var capacity: Int { pool.bufferCapacity }

  /// How many bytes are kept.
  var count: Int { buffer?.count ?? 0 }

  /// `bytes` were received.
  mutating func keep(_ bytes: Span<UInt8>) {
    guard isWhole, !bytes.isEmpty else { return }
    guard count + bytes.count <= limit else {
      isWhole = false
      return giveBack()
    }
    let buffer = buffer ?? pool.lend()
    self.buffer = buffer
    buffer.append(bytes)
  }

  /// Appends everything to `other`, from where it will be received, and kept, once more.
  mutating func move(to other: ByteBuffer) {
    guard let buffer else { return }
    other.append(buffer.readableBytes)
    giveBack()
  }

  /// Gives the buffer back.
  mutating func giveBack() {
    pool.takeBack(&buffer)
  }
}
