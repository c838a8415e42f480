import HTTPWire

/// Ways to deliver `count` bytes in pieces: how many have arrived at each look. The same for the same bytes.
func deliveries(of input: [UInt8]) -> [[Int]] {
  let count = input.count
  var seed = input.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  func below(_ bound: Int) -> Int {
    seed ^= seed << 13
    seed ^= seed >> 7
    seed ^= seed << 17
    return Int(seed % UInt64(bound))
  }
  let cut = below(count + 1)
  var ways = [[cut, count], [min(cut, below(count + 1)), max(cut, below(count + 1)), count]]
  if count <= 512 { ways.append(Array(0...count)) }
  return ways
}

/// The text of bytes that are taken for Latin-1, so that nothing of them is lost.
func text(_ bytes: some Sequence<UInt8>) -> String {
  String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

/// What became of a head.
enum ReadOutcome<Head: Equatable>: Equatable {
  case complete(Head)
  case incomplete
  case refused(WireError)
}

/// Parses what has arrived at each look, each time from a copy, so that reading further is reading out of bounds.
///
/// - Parameter parse: the head, if it is complete.
func readHead<Head>(
  _ input: [UInt8], at looks: [Int], _ parse: ([UInt8]) throws(WireError) -> Head?
) -> ReadOutcome<Head> {
  do throws(WireError) {
    for look in looks {
      if let head = try parse(Array(input[..<look])) { return .complete(head) }
    }
    return .incomplete
  } catch {
    return .refused(error)
  }
}

/// A head means the same however it arrives. Returns it, if it is complete under the usual limits.
func checkDeliveries<Head>(
  of input: [UInt8], _ read: (_ looks: [Int], _ limits: HeadLimits) -> ReadOutcome<Head>
) throws(Violation) -> Head? {
  for limits in [HeadLimits(bytes: 300, requestLine: 100, fields: 6), HeadLimits()] {
    let whole = read([input.count], limits)
    for way in deliveries(of: input) {
      let inPieces = read(way, limits)
      try require(inPieces == whole, "in pieces \(way): \(inPieces), whole: \(whole)")
    }
  }
  guard case .complete(let head) = read([input.count], HeadLimits()) else { return nil }
  return head
}
