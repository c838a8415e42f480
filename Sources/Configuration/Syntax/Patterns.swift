/// Regular expressions for the texts that ``Format``s read, for the schema: in the syntax that JavaScript, Python and Swift
/// share.
enum Patterns {
  /// A character of a token (RFC 9110 section 5.6.2).
  static let tokenCharacter = "[!#$%&'*+.^_`|~0-9A-Za-z-]"

  /// An IPv4 address.
  static let ipv4 = "(\(numberPattern(0...255))\\.){3}\(numberPattern(0...255))"
  /// Approximately an IPv6 address, without brackets.
  static let ipv6 = "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
  /// The port of a server.
  static let port = numberPattern(1...65535)
  /// `IP:port`, or a port alone, to listen on.
  static let listenAddress =
    "(((\\[\(ipv6)\\]|\(ipv4)|[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]):)?\(numberPattern(0...65535)))"

  private static let label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
  // Resolvers take a name that ends in a number for an address.
  private static let lastLabel = "(?![0-9]+([.:/?]|$)|0[Xx])\(label)\\.?"
  /// A host name that is not an address.
  static let name = "((\(label)\\.)*\(lastLabel))"
  private static let host = "(\(name)|\(ipv4)|\\[\(ipv6)\\])"
  /// Host and optional port of a URL.
  static let authority = "\(host)(:\(port))?"
  /// `*.` and a domain of at least two labels, and an optional port.
  static let wildcard = "\\*\\.(\(label)\\.)+\(lastLabel)(:\(port))?"

  private static let edge = "\\.|%2[Ee]"
  /// A path of a URL: no dot segments, no empty ones.
  static let path =
    "(/(?!(\(edge)){1,2}(/|$))([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*/?"
  // The percent-encoding of a character other than a letter, digit, "-", ".", "_" or "~".
  private static let encoded = "%(?!2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])[0-9A-Fa-f]{2}"
  /// The path prefix of a route; not empty.
  static let pathPrefix =
    "(/|(/(?!%20|[^/]*(\(edge)|%20)(/|$))([A-Za-z0-9._~!$&'()*+,=:@-]|\(encoded))+)+/?)"

  // One for each format that needs more than these. A format is made whenever a value is read, but its pattern only once.

  static let listener = "(unix:.+|systemd(:.+)?|\(listenAddress))"
  static let network = "(\(ipv4)(/\(numberPattern(0...32)))?|\(ipv6)(/\(numberPattern(0...128)))?)"
  static let match = "(\(wildcard)|\(authority))\(pathPrefix)?"
  static let localTokenEndpoint = "(\(authority))?\(pathPrefix)"
  static let baseURL = "[Hh][Tt][Tt][Pp][Ss]?://\(authority)\(path)"
  /// https, or http on this machine.
  static let tokenEndpoint = """
    [Hh][Tt][Tt][Pp]([Ss]://|://(?=(127\\.[0-9.]+|\\[[0:]+1\\]|\(anyCase(["localhost"]))\\.?)([:/?]|$)))\(authority)\
    ([/?]([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?
    """
  static let parentProxy = "[Hh][Tt][Tt][Pp]://(.+(:|%3[Aa]).*@)?\(host):\(port)/?"
  static let method = """
    (GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|\
    (?!(CONNECT|TRACE|\(anyCase(Format<String>.commonMethods.sorted())))$)\(tokenCharacter){1,32})
    """
  static let tokenHeader = """
    (?!(\(anyCase(Format<String>.reserved.sorted()))|[Pp][Rr][Oo][Xx][Yy]-.*)$)\(tokenCharacter){1,64}
    """
  static let tokenScheme = "\(tokenCharacter){0,64}"
  static let upgradeProtocol = """
    (?=.{1,64}$)(?!(any|off)$|\(anyCase(["http", "h2c", "h2", "tls"]))(/|$))\(tokenCharacter)+(/\(tokenCharacter)+)?
    """
  static let certificateName = "(dns:\(name)|uri:.*:.*|email:.*@.*|(?!(dns|uri|email):).*=.*)"
  /// A number, or a user name, which does not begin like a number.
  static let user = "(\(numberPattern(0...4_294_967_294))|[^0-9-].*)"
  static let leafLifetime = quantityPattern(1...397 * 24, [("h", 1), ("d", 24)])

  /// `words` in lower or upper case, up to what may follow them.
  static func anyCase(_ words: some Sequence<String>) -> String {
    let spelled = words.map { word in
      word.map { $0.isLetter ? "[\($0.uppercased())\($0.lowercased())]" : "\($0)" }.joined()
    }
    return "(\(spelled.joined(separator: "|")))"
  }
}

/// A regular expression for quantities of `units` that are in `range`.
func quantityPattern(_ range: ClosedRange<Int>, _ units: [QuantityUnit]) -> String {
  units.compactMap { unit in
    let lowest = range.lowerBound / unit.factor + (range.lowerBound % unit.factor == 0 ? 0 : 1)
    let highest = range.upperBound / unit.factor
    return lowest > highest ? nil : numberPattern(lowest...highest) + unit.suffix
  }.joined(separator: "|")
}

/// A regular expression for the non-negative numbers of `range`, without leading zeros.
func numberPattern(_ range: ClosedRange<Int>) -> String {
  if range == 0 ... .max { return "(0|[1-9][0-9]*)" }
  if range == 1 ... .max { return "[1-9][0-9]*" }
  var patterns: [String] = []
  var lowest = String(range.lowerBound)
  let highest = String(range.upperBound)
  while lowest.count < highest.count {
    patterns += digitPatterns(lowest, String(repeating: "9", count: lowest.count))
    lowest = "1" + String(repeating: "0", count: lowest.count)
  }
  patterns += digitPatterns(lowest, highest)
  return patterns.count == 1 ? patterns[0] : "(\(patterns.joined(separator: "|")))"
}

/// Regular expressions for the numbers between two numbers with the same number of digits.
private func digitPatterns(_ lowest: String, _ highest: String) -> [String] {
  guard let first = lowest.first, let last = highest.first else { return [""] }
  let (low, high) = (String(lowest.dropFirst()), String(highest.dropFirst()))
  if first == last { return digitPatterns(low, high).map { "\(first)\($0)" } }
  var patterns: [String] = []
  var (from, to) = (first.wholeNumberValue ?? 0, last.wholeNumberValue ?? 9)
  let isWholeBelow = low.allSatisfy { $0 == "0" }
  let isWholeAbove = high.allSatisfy { $0 == "9" }
  if !isWholeBelow {
    patterns += digitPatterns(low, String(repeating: "9", count: low.count)).map { "\(first)\($0)" }
    from += 1
  }
  if !isWholeAbove { to -= 1 }
  if from <= to {
    let rest = low.isEmpty ? "" : low.count == 1 ? "[0-9]" : "[0-9]{\(low.count)}"
    patterns.append((from == to ? "\(from)" : "[\(from)-\(to)]") + rest)
  }
  if !isWholeAbove {
    patterns += digitPatterns(String(repeating: "0", count: high.count), high).map { "\(last)\($0)" }
  }
  return patterns
}
