internal import Tokens

/// The content of an account's file: one line for the format, then one for each period with its number and count. It is
/// readable, and not encrypted: with a new client secret the count has to go on.
enum SpendingFile {
  private static let title = "m2m-proxy tokens issued 1"

  static func bytes(of sums: TokenSums) -> [UInt8] {
    let lines = TokenPeriod.allCases.compactMap { period in
      sums.sums[period].map { "\(period.rawValue) \($0.number) \($0.count)" }
    }
    return Array(([title] + lines).joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
  }

  /// The sums in `bytes`; nil when they are not what ``bytes(of:)`` gives.
  static func sums(in bytes: [UInt8]) -> TokenSums? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.hasSuffix("\n") else { return nil }
    let lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 1 + TokenPeriod.allCases.count, lines[0] == title else { return nil }
    var sums: [TokenPeriod: TokenSums.Sum] = [:]
    for line in lines.dropFirst() {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 3, let period = TokenPeriod(rawValue: String(words[0])), sums[period] == nil,
        let number = Int64(words[1]), let count = Int(words[2]), count >= 0
      else { return nil }
      sums[period] = TokenSums.Sum(number: number, count: count)
    }
    return TokenSums(sums)
  }
}
