/// A unit in which log lines show durations: behind the number in logfmt, behind the key in JSON.
enum DurationUnit {
  case seconds
  case milliseconds

  /// What logfmt writes behind the number.
  var symbol: StaticString {
    switch self {
    case .seconds: "s"
    case .milliseconds: "ms"
    }
  }

  /// `nanoseconds` as a whole number of steps, and how many decimals a step has: three significant digits, and in
  /// milliseconds no more than those that a microsecond needs.
  func rounded(nanoseconds: UInt64) -> (steps: UInt64, decimals: Int) {
    let unit: UInt64 =
      switch self {
      case .seconds: 1_000_000_000
      case .milliseconds: 1_000_000
      }
    let decimals =
      switch nanoseconds {
      case ..<unit: 3
      case ..<(10 * unit): 2
      case ..<(100 * unit): 1
      default: 0
      }
    var step = unit
    for _ in 0..<decimals { step /= 10 }
    let (steps, rest) = nanoseconds.quotientAndRemainder(dividingBy: step)
    return (rest >= step / 2 ? steps + 1 : steps, decimals)
  }
}
