import Bytes
import HTTPWire

@testable import ProxyCore

extension BodyRelay {
  /// A relay that has begun.
  convenience init(
    _ decoder: BodyDecoder, input: ByteBuffer, output: ByteBuffer, framing: BodyFraming, passesTrailers: Bool,
    limit: UInt64 = .max, kept: KeptContent? = nil
  ) {
    self.init(BufferPool(bufferCapacity: input.capacity, keeping: 0))
    begin(
      decoder.framing, input: input, output: output, framing: framing, passesTrailers: passesTrailers, limit: limit,
      kept: kept)
  }
}
