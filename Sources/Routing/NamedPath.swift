internal import Encodings
internal import HTTPWire

/// The path in a field such as `Destination`, which an upstream treats like the path of a request.
///
/// It is accepted only if it could stand in a request line. URL parsers repair other text: browsers and Node.js remove tabs,
/// and end the host at `\`.
public struct NamedPath {
  /// The path, with the query as its last part: some servers end a path at `?`, and others do not, as with the encoded
  /// character.
  public let path: [UInt8]
  /// Whether it came in a URL with a host.
  public let hasHost: Bool

  /// Parses `value`; nil if it names no path, or one that no request could have.
  ///
  /// - Parameter needsSlash: whether it must be a URL, or a path that begins with a slash.
  public init?(_ value: Span<UInt8>, needsSlash: Bool) {
    var bytes = value.indices.map { value[$0] }
    let slash = UInt8(ascii: "/")
    hasHost = Self.isURL(bytes)
    if !hasHost, bytes.first != slash {
      // Another scheme, or a name such as an ARN, which is not a path.
      guard !needsSlash, !bytes.isEmpty, !bytes.prefix(while: { $0 != slash }).contains(UInt8(ascii: ":")) else {
        return nil
      }
      bytes.insert(slash, at: 0)
    }
    guard let target = Self.target(bytes), !target.path.isEmpty else { return nil }
    let query = target.query.map { Array("%3F".utf8) + bytes[$0.range] } ?? []
    path = bytes[target.path.range] + query
  }

  /// Parses the prefix in `value`, without final slashes; nil if no path could begin with it, or if servers may read it in
  /// several ways.
  public static func prefix(_ value: Span<UInt8>) -> [UInt8]? {
    var bytes = value.indices.map { value[$0] }
    while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    guard !bytes.isEmpty else { return [] }
    // A comma separates several prefixes, which some applications join.
    guard bytes[0] == UInt8(ascii: "/"), !bytes.contains(UInt8(ascii: ",")), !PathReadings.exist(of: bytes.span),
      let target = target(bytes), target.query == nil
    else { return nil }
    return bytes
  }

  private static func isURL(_ bytes: [UInt8]) -> Bool {
    func begins(with scheme: String) -> Bool { bytes.prefix(scheme.utf8.count).elementsEqual(scheme.utf8, by: isSame) }
    return begins(with: "http://") || begins(with: "https://")
  }

  /// Whether two bytes are equal, ignoring the case of ASCII letters.
  private static func isSame(_ byte: UInt8, _ other: UInt8) -> Bool { byte.asciiLowercased == other.asciiLowercased }

  private static func target(_ bytes: [UInt8]) -> RequestTarget? {
    do throws(WireError) {
      return try RequestTarget.parse(bytes.span, target: ByteRange(bytes.indices), method: .get)
    } catch {
      // It does not matter which rule it breaks.
      return nil
    }
  }
}

extension NamedPath {
  /// The result of removing a prefix from a path.
  public enum Removal {
    /// No reading of the path begins with the prefix.
    case nothing
    /// All readings of the path begin with the prefix, and this follows.
    case rest([UInt8])
    /// The readings differ.
    case unclear
  }

  /// The rest of `path` when an application removes `prefix`, even within a segment, and ignoring case.
  ///
  /// The path may have several readings if none of them changes the part that is compared with the prefix.
  public static func remove(_ prefix: [UInt8], from path: [UInt8]) -> Removal {
    let same = zip(prefix, path).prefix(while: isSame).count
    let begins = same == prefix.count
    if PathReadings.exist(of: path.span) {
      // Up to the end of the segment in which they differ.
      var end = same
      while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
      guard isSteady(path[..<end], after: begins ? same - 1 : same) else { return .unclear }
      let head = PathPrefix(String(decoding: path[..<end], as: UTF8.self))
      let question = PathReadings.Question(prefix: head, isConfined: true, expected: 1)
      guard PathTrees([(head, 1)], ignoresCase: false).compare(path.span, question, outcome: { $0 }) == .same else {
        return .unclear
      }
    }
    return begins ? .rest(Array(path[prefix.count...])) : .nothing
  }

  /// Whether all servers see the same segments in `head`, and the same bytes up to `differing`. After that, characters may be
  /// encoded if they cannot be a part of a dot or a separator in any encoding.
  private static func isSteady(_ head: ArraySlice<UInt8>, after differing: Int) -> Bool {
    var previous: UInt8 = 0
    var index = head.startIndex
    while index < head.endIndex {
      let byte = head[index]
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
        UInt8(ascii: "@"), UInt8(ascii: "="), UInt8(ascii: "&"), UInt8(ascii: ","), UInt8(ascii: "!"):
        break
      case UInt8(ascii: "/"):
        guard previous != byte, previous != UInt8(ascii: ".") else { return false }
      case UInt8(ascii: "."):
        guard previous != UInt8(ascii: "/") else { return false }
      case UInt8(ascii: "+"):
        guard index > differing else { return false }
      case UInt8(ascii: "%"):
        guard index > differing, index + 2 < head.endIndex, let high = head[index + 1].hexValue,
          let low = head[index + 2].hexValue, isHarmless(high << 4 | low)
        else { return false }
        index += 2
      default: return false
      }
      previous = byte
      index += 1
    }
    return previous != UInt8(ascii: ".") && previous != UInt8(ascii: "/")
  }

  /// Whether an encoded `byte` is a space or part of a letter in UTF-8, but not of an overlong form, nor of the signs and
  /// fullwidth forms that some servers take for dots and separators.
  private static func isHarmless(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), 0x80...0xbf, 0xc3...0xdf, 0xe1, 0xe3...0xed: true
    default: false
    }
  }
}
