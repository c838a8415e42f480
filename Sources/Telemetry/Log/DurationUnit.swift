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
    switch self {
    case .seconds: Self.rounded(nanoseconds, unit: 1_000_000_000)
    case .milliseconds: Self.rounded(nanoseconds, unit: 1_000_000)
    }
  }

  // Inlined, so that all divisors are constants, which cost no division.
  @inline(__always)
  private static func rounded(_ nanoseconds: UInt64, unit: UInt64) -> (steps: UInt64, decimals: Int) {
    if nanoseconds < unit { return (rounded(nanoseconds, step: unit / 1000), 3) }
    if nanoseconds < 10 * unit { return (rounded(nanoseconds, step: unit / 100), 2) }
    if nanoseconds < 100 * unit { return (rounded(nanoseconds, step: unit / 10), 1) }
    return (rounded(nanoseconds, step: unit), 0)
  }

  @inline(__always)
  private static func rounded(_ nanoseconds: UInt64, step: UInt64) -> UInt64 {
    let (steps, rest) = nanoseconds.quotientAndRemainder(dividingBy: step)
    return rest >= step / 2 ? steps + 1 : steps
  }
}
