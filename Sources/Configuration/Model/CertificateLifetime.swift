/// How long a certificate is good for, in whole days or hours.
public struct CertificateLifetime: Sendable, Hashable {
  /// The time.
  public let duration: Duration

  /// So many days.
  public static func days(_ days: Int) -> CertificateLifetime { CertificateLifetime(duration: .seconds(days * 86_400)) }

  /// What may stand in proxy.conf for a host's certificate. Clients take no certificate for longer than 398 days.
  public static let ofLeaves = CertificateLifetime(duration: .seconds(3600))...days(397)
  /// What an authority may be good for.
  public static let ofAuthorities = days(1)...days(36_500)

  private init(duration: Duration) {
    self.duration = duration
  }

  /// The lifetime in `text`, a number and `d` or `h`; nil where it is none, or not in `range`.
  public init?(_ text: String, in range: ClosedRange<CertificateLifetime>) {
    guard let unit = text.last, unit == "d" || unit == "h", let number = wholeNumber(text.dropLast()),
      number <= Self.ofAuthorities.upperBound.hours
    else { return nil }
    duration = .seconds(number * (unit == "d" ? 86_400 : 3600))
    guard range.contains(self) else { return nil }
  }

  private var hours: Int { Int(duration.components.seconds) / 3600 }
}

extension CertificateLifetime: Comparable, CustomStringConvertible {
  /// Whether `one` is shorter.
  public static func < (one: Self, other: Self) -> Bool { one.duration < other.duration }

  /// As it is written: `7d`, `36h`.
  public var description: String { hours.isMultiple(of: 24) ? "\(hours / 24)d" : "\(hours)h" }
}
