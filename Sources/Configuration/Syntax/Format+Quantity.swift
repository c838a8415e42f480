internal import Encodings

/// A suffix of a number, and its factor.
typealias QuantityUnit = (suffix: String, factor: Int)

/// The units of sizes, in bytes.
let sizeUnits: [QuantityUnit] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("", 1)]

/// The units of durations, in milliseconds. "ms" precedes "m" and "s", since the first match counts.
let durationUnits: [QuantityUnit] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]

/// The range of durations in milliseconds: 1ms to 24h.
let durationRange = 1...24 * 3_600_000

extension Format<Duration> {
  /// `500ms`, `10s`, `2m`, `1h`.
  static var duration: Self {
    Format("a duration such as 500ms or 10s", .duration, written: durationText) { text throws(Refusal) in
      guard let unit = durationUnits.first(where: { text.hasSuffix($0.suffix) }) else {
        throw Refusal(wholeNumber(text) == nil ? nil : "add the unit: ms, s, m or h")
      }
      guard let number = wholeNumber(text.dropLast(unit.suffix.count)) else { throw Refusal() }
      let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.factor)
      guard !overflow, durationRange.contains(milliseconds) else {
        throw Refusal(expected: "a duration from 1ms to 24h")
      }
      return .milliseconds(milliseconds)
    }
  }
}

extension Format<Duration?> {
  /// A duration, or `off` for none.
  static var durationOrOff: Self {
    let duration = Format<Duration>.duration
    return Format("off, or \(duration.expected)", .orOff(.duration), written: { $0.map(duration.written) ?? "off" }) {
      text throws(Refusal) in
      text == "off" ? nil : try duration.read(text)
    }
  }
}

extension Format<Duration?> {
  /// How long TCP can wait before it probes a silent connection, in seconds, or `off`.
  static var keepaliveOrOff: Self {
    let expected = "off, or a duration from 1s to 9h, such as 60s"
    return Format(expected, .orOff(.duration), written: durationOrOff.written) { text throws(Refusal) in
      let duration = try durationOrOff.read(text)
      guard let duration else { return nil }
      guard duration >= .seconds(1), duration <= .seconds(9 * 3600) else { throw Refusal() }
      return duration
    }
  }
}

extension Format<Int> {
  /// A whole number within `range`.
  static func count(_ range: ClosedRange<Int>) -> Self {
    Format("a number from \(range.lowerBound) to \(range.upperBound)", .number(range)) { text throws(Refusal) in
      guard let number = wholeNumber(text), range.contains(number) else { throw Refusal() }
      return number
    }
  }

  /// A number of bytes within `range`: `512`, `8KB`, `1MB`.
  static func size(_ range: ClosedRange<Int>) -> Self {
    let expected = "a size from \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound)), such as 512, 8KB or 1MB"
    return Format(expected, .size(range), written: sizeText) { text throws(Refusal) in
      guard let bytes = sizeInBytes(text), range.contains(bytes) else { throw Refusal() }
      return bytes
    }
  }

}

extension Format<Int?> {
  /// A whole number within `range`, or `off` for no limit.
  static func countOrOff(_ range: ClosedRange<Int>) -> Self {
    let count = Format<Int>.count(range)
    return Format("off, or \(count.expected)", .orOff(count.type), written: { $0.map(count.written) ?? "off" }) {
      text throws(Refusal) in
      text == "off" ? nil : try count.read(text)
    }
  }
}

extension Format<Int?> {
  /// The size of a body, or `off` for no limit.
  static var bodySize: Self {
    let expected = "off, or a size up to 1024GB, such as 512KB, 10MB or 2GB"
    return Format(expected, .orOff(.size(0...1 << 40)), written: { $0.map(sizeText) ?? "off" }) {
      text throws(Refusal) in
      if text == "off" { return nil }
      guard let bytes = sizeInBytes(text), bytes <= 1 << 40 else { throw Refusal() }
      return bytes
    }
  }
}

extension Format<Int?> {
  /// Bytes per second, or `off` for no bound.
  static var rate: Self {
    let expected = "off, or bytes per second from 1 to 1MB, such as 100 or 8KB"
    return Format(expected, .orOff(.rate(1...1 << 20)), written: { $0.map(sizeText) ?? "off" }) {
      text throws(Refusal) in
      if text == "off" { return nil }
      guard let bytes = sizeInBytes(text), (1...1 << 20).contains(bytes) else { throw Refusal() }
      return bytes
    }
  }
}

extension Format<MemoryLimit> {
  /// A size, or `off` for no limit.
  static var memoryLimit: Self {
    Format("off, or a size from 16MB to 1024GB, such as 64MB or 1GB", .orOff(.size(16 << 20...1 << 40))) {
      text throws(Refusal) in
      if text == "off" { return .off }
      guard let bytes = sizeInBytes(text), (16 << 20...1 << 40).contains(bytes) else { throw Refusal() }
      return .bytes(bytes)
    }
  }
}

extension Format<ClientShare?> {
  /// A percentage from `1%` to `99%`, or `off` for no limit.
  static var clientShare: Self {
    Format("off, or a share from 1% to 99%", .orOff(.share), written: { $0.map { "\($0.percent)%" } ?? "off" }) {
      text throws(Refusal) in
      if text == "off" { return nil }
      guard text.hasSuffix("%") else { throw Refusal(wholeNumber(text) == nil ? nil : "add the unit: %") }
      guard let percent = wholeNumber(text.dropLast()), (1...99).contains(percent) else { throw Refusal() }
      return ClientShare(percent: percent)
    }
  }
}

/// `duration` in the form of proxy.conf: `500ms`, `10s`, `10m`.
func durationText(_ duration: Duration) -> String {
  let (seconds, attoseconds) = duration.components
  let milliseconds = attoseconds / 1_000_000_000_000_000
  if milliseconds != 0 || seconds == 0 { return "\(seconds * 1000 + milliseconds)ms" }
  if seconds.isMultiple(of: 3600) { return "\(seconds / 3600)h" }
  // People write 75s and 60s, but 10m for 600 seconds.
  return seconds > 120 && seconds.isMultiple(of: 60) ? "\(seconds / 60)m" : "\(seconds)s"
}

/// A number of bytes in the form of proxy.conf: `512`, `8KB`, `1MB`.
func sizeText(_ bytes: Int) -> String {
  if bytes >= 1 << 30, bytes.isMultiple(of: 1 << 30) { return "\(bytes >> 30)GB" }
  if bytes >= 1024 * 1024, bytes.isMultiple(of: 1024 * 1024) { return "\(bytes / 1024 / 1024)MB" }
  return bytes >= 1024 && bytes.isMultiple(of: 1024) ? "\(bytes / 1024)KB" : "\(bytes)"
}

private func sizeInBytes(_ text: String) -> Int? {
  // "" is the last, since the first match counts.
  let unit = sizeUnits.first { text.hasSuffix($0.suffix) } ?? ("", 1)
  guard let number = wholeNumber(text.dropLast(unit.suffix.count)) else { return nil }
  let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.factor)
  return overflow ? nil : bytes
}

/// The number in `text`, which has only decimal digits: no sign, no leading zero.
func wholeNumber(_ text: some StringProtocol) -> Int? {
  guard text.utf8.allSatisfy(\.isDigit), text == "0" || !text.hasPrefix("0") else { return nil }
  return Int(text)
}
