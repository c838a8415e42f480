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
