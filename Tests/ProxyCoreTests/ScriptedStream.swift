import Bytes
import Reactor
import SystemPackage

/// A connection in memory: what it gives, and how much it takes, is said beforehand.
final class ScriptedStream: ByteStream {
  /// What comes next, a piece for every attempt to receive.
  var pieces: [[UInt8]] = []
  /// Whether the stream ends after the pieces.
  var isEnded = false
  /// How the connection fails after the pieces.
  var failure: StreamError?
  /// How many bytes are taken before sending blocks.
  var window = Int.max
  /// Whether sending fails.
  var refuses = false
  /// What was taken.
  private(set) var sent: [UInt8] = []
  private(set) var receptions = 0
  /// Whether it was said that nothing more will be sent.
  private(set) var isFinished = false

  override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    receptions += 1
    guard var piece = pieces.first else {
      if let failure { return .failed(failure) }
      if isEnded { return .endOfStream }
      isReadable = false
      return .wouldBlock
    }
    let count = min(piece.count, buffer.freeSpace, limit)
    precondition(count > 0, "there must be room for what is received")
    buffer.append(piece.span.extracting(first: count))
    piece.removeFirst(count)
    pieces[0] = piece
    if piece.isEmpty { pieces.removeFirst() }
    return .transferred(count)
  }

  override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    if refuses { return .failed(.system(.brokenPipe)) }
    let count = min(buffer.count, limit, window)
    guard count > 0 else {
      isWritable = false
      return .wouldBlock
    }
    for index in 0..<count { sent.append(buffer.readableBytes[index]) }
    buffer.consume(count)
    window -= count
    return .transferred(count)
  }

  override func finishSending() {
    isFinished = true
  }
}
