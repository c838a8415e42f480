public import Bytes

extension BodyDecoder {
  /// Appends the payload in `bytes` to `output` as it is, all there is room for, and says how many bytes were consumed.
  ///
  /// Less than all of them when the output is full, or when the body is finished. `bytes` must not lie in `output`.
  public mutating func gather(_ bytes: Span<UInt8>, into output: ByteBuffer) throws(WireError) -> Int {
    let available = min(bytes.count, output.freeSpace)
    var position = 0
    while true {
      let rest = bytes.extracting(position..<available)
      let (consumed, event) = try step(rest)
      position += consumed
      guard case .payload(let range) = event else { return position }
      output.append(rest.extracting(range))
    }
  }
}
