import HTTPWire

/// What became of a message that was given to a parser.
enum Outcome<Value: Equatable & Sendable>: Equatable, Sendable {
  case complete(Value)
  case incomplete
  case refused(WireError)
}

/// The bytes of `text` in Latin-1: one for each scalar up to U+00FF.
func bytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.map { UInt8($0.value) }
}

/// The reverse of `bytes`.
func text(_ bytes: some Sequence<UInt8>) -> String {
  String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
  text(bytes[range.range])
}

/// Every way to cut `count` bytes in two, and into single bytes: the lengths that are given to a parser one after
/// another.
func deliveries(of count: Int) -> [[Int]] {
  var all = (0..<count).map { [$0, count] }
  all.append(Array(0...count))
  return all
}
