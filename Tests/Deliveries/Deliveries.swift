public import HTTPWire
internal import SeededRandom

/// What became of a message that was given to a parser.
public enum Outcome<Value> {
  /// It ended, and this is what it says.
  case complete(Value)
  /// It needs more bytes.
  case incomplete
  /// It is not valid.
  case refused(WireError)
}

extension Outcome: Equatable where Value: Equatable {}
extension Outcome: Sendable where Value: Sendable {}

/// The bytes of `text` in Latin-1: one for each scalar up to U+00FF.
public func bytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.map { UInt8($0.value) }
}

/// The reverse of ``bytes(_:)``: nothing is lost of bytes that are no UTF-8.
public func text(_ bytes: some Sequence<UInt8>) -> String {
  String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

/// Every way to cut `count` bytes in two, and into single bytes: how many have arrived at each look.
public func deliveries(of count: Int) -> [[Int]] {
  var all = (0..<count).map { [$0, count] }
  all.append(Array(0...count))
  return all
}

/// A few ways to cut `input`, for messages of any length. The same for the same bytes.
public func someDeliveries(of input: [UInt8]) -> [[Int]] {
  let count = input.count
  var random = SplitMix(state: input.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
  let cuts = (0..<3).map { _ in random.below(count + 1) }
  var ways = [[cuts[0], count], [min(cuts[1], cuts[2]), max(cuts[1], cuts[2]), count]]
  if count <= 512 { ways.append(Array(0...count)) }
  return ways
}

/// Parses a copy of what has arrived at each look, so that reading further is reading out of bounds.
public func readMessage<Summary>(
  _ input: [UInt8], at looks: [Int], _ parse: ([UInt8]) throws(WireError) -> Summary?
) -> Outcome<Summary> {
  do throws(WireError) {
    for look in looks {
      if let summary = try parse(Array(input[..<look])) { return .complete(summary) }
    }
    return .incomplete
  } catch {
    return .refused(error)
  }
}
