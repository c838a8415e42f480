internal import Bytes
internal import Reactor

/// Takes what is sent to it, for content that goes nowhere else.
final class CollectedContent: ByteStream {
  private(set) var bytes: [UInt8] = []

  override func send(from buffer: ByteBuffer, limit: Int) -> IOResult {
    let count = min(buffer.count, limit)
    let sent = buffer.readableBytes.extracting(first: count)
    for index in sent.indices { bytes.append(sent[index]) }
    buffer.consume(count)
    return .transferred(count)
  }
}
