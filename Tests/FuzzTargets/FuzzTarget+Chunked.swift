import Bytes
import Deliveries
import HTTPWire

/// A body by value.
private struct ReadBody: Equatable {
  var payload: [UInt8] = []
  var consumed = 0
  var isFinished = false
  var error: WireError?
  var trailers: [ReadField] = []

  init() {}

  /// Decodes what arrives at each look, behind what arrived before.
  init(_ input: [UInt8], at looks: [Int]) {
    var decoder = BodyDecoder(.chunked)
    do throws(WireError) {
      for look in looks {
        while consumed < look, !decoder.isFinished {
          // A copy, so that reading further is reading out of bounds.
          let rest = Array(input[consumed..<look])
          let (count, event) = try decoder.step(rest.span)
          consumed += count
          if case .payload(let range) = event { payload += rest[range] }
        }
      }
    } catch {
      self.error = error
      // Where an error shows up depends on the pieces; that it does, and what came before it, does not.
      consumed = 0
    }
    isFinished = decoder.isFinished
    trailers = decoder.trailers.map { ReadField($0, decoder.trailerBytes) }
  }
}

/// A chunked body means the same however it arrives, also when it is written again; and what is written is read.
func checkChunked(_ input: [UInt8]) throws(Violation) {
  let whole = ReadBody(input, at: [input.count])
  for way in someDeliveries(of: input) {
    let inPieces = ReadBody(input, at: way)
    try require(inPieces == whole, "in pieces \(way): \(inPieces), whole: \(whole)")
  }
  for capacity in [ChunkedEncoder.maximumOverhead + 1, 61, 65_536] {
    try checkEncoding(of: input, capacity)
    if whole.isFinished { try checkRelay(input, whole, capacity) }
  }
}

/// decode(encode(x)) == x.
private func checkEncoding(of payload: [UInt8], _ capacity: Int) throws(Violation) {
  var encoded: [UInt8] = []
  var rest = payload[...]
  while !rest.isEmpty {
    let output = ByteBuffer(capacity: capacity)
    let count = ChunkedEncoder.append(Array(rest).span, to: output)
    try require(count > 0, "no payload fits into \(capacity) bytes")
    rest = rest.dropFirst(count)
    encoded += output.readableBytes.indices.map { output.readableBytes[$0] }
  }
  let output = ByteBuffer(capacity: 5)
  try require(ChunkedEncoder.finish(to: output), "no room for the end")
  encoded += output.readableBytes.indices.map { output.readableBytes[$0] }
  let decoded = ReadBody(encoded, at: [encoded.count])
  try require(
    decoded.isFinished && decoded.payload == payload && decoded.consumed == encoded.count,
    "written with \(capacity): \(text(encoded))")
}

/// Gathers and writes a body as the proxy does, and reads it again.
private func checkRelay(_ input: [UInt8], _ whole: ReadBody, _ capacity: Int) throws(Violation) {
  var decoder = BodyDecoder(.chunked)
  var sent: [UInt8] = []
  var position = 0
  while !decoder.isFinished {
    let output = ByteBuffer(capacity: capacity)
    do throws(WireError) {
      let consumed = try ChunkedEncoder.append(from: &decoder, Array(input[position...]).span, to: output)
      guard consumed > 0 else { throw .truncatedBody }
      position += consumed
    } catch {
      throw Violation(description: "\(error) at \(position) with room for \(capacity)")
    }
    sent += output.readableBytes.indices.map { output.readableBytes[$0] }
  }
  let output = ByteBuffer(capacity: 65_536)
  try require(ChunkedEncoder.finish(trailersOf: decoder, to: output), "no room for the trailers")
  sent += output.readableBytes.indices.map { output.readableBytes[$0] }
  let again = ReadBody(sent, at: [sent.count])
  try require(position == whole.consumed, "ends at \(position), read whole at \(whole.consumed)")
  try require(
    again.isFinished && again.consumed == sent.count && again.payload == whole.payload
      && again.trailers == whole.trailers, "sent on as \(text(sent)): \(again), received as \(whole)")
}
