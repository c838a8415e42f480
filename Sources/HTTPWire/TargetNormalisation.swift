internal import Encodings

/// What the proxy corrected in a request that has exactly one reading, but violates the syntax of HTTP.
public struct Normalisation: OptionSet, Sendable, Hashable {
  /// One bit for each kind.
  public let rawValue: UInt8

  /// The kinds for these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The target had a fragment (`#top`), which was dropped.
  public static let fragment = Normalisation(rawValue: 1)
  /// The target had a user and password before the host, which were removed.
  public static let userinfo = Normalisation(rawValue: 2)
  /// The path or the query had bytes that must be percent-encoded, and now are.
  public static let rawBytes = Normalisation(rawValue: 4)
  /// A field was folded over several lines, and is now on one line.
  public static let foldedField = Normalisation(rawValue: 8)
  /// Lines of a CONNECT ended with a bare LF.
  public static let bareLineFeed = Normalisation(rawValue: 16)

  /// Every kind with its name in the log and in metrics.
  public static let kinds: [(kind: Normalisation, name: String)] = [
    (.fragment, "fragment"), (.userinfo, "userinfo"), (.rawBytes, "raw_bytes"), (.foldedField, "folded_field"),
    (.bareLineFeed, "bare_lf"),
  ]

  /// The names of the kinds in the set, separated by commas.
  public var names: String {
    Self.kinds.filter { contains($0.kind) }.map(\.name).joined(separator: ",")
  }
}

/// A request target in the form of RFC 9112, made from one that an older client wrote.
///
/// The result goes through ``RequestTarget/parse(_:target:method:)`` like any other target, which rejects everything that is
/// not one of the three corrections made here.
public struct NormalisedTarget: Sendable {
  /// The target, ready to be parsed and forwarded.
  public private(set) var bytes: [UInt8] = []
  /// What was corrected.
  public private(set) var changes: Normalisation = []
  /// Where the user and password were in the original target; nil if there were none.
  public private(set) var userinfo: Range<Int>?

  /// Corrects `target`: drops a fragment, removes user and password, and percent-encodes raw bytes.
  ///
  /// - Returns: nil for a target that is neither a path nor an http or https URL: it has no part to correct.
  /// - Throws: `userinfo` if programs disagree about where the user name ends, `invalidHost` if the host has non-ASCII bytes,
  ///   whose meaning depends on the program.
  public init?(_ target: Span<UInt8>) throws(WireError) {
    bytes.reserveCapacity(target.count + 32)
    var position = 0
    let authority = Self.authority(of: target)
    if let authority {
      try takeUserinfo(target, authority)
      position = authority.upperBound
    } else {
      guard !target.isEmpty, target[0] == UInt8(ascii: "/") else { return nil }
    }
    let hasPathOrQuery = position < target.count && target[position] != UInt8(ascii: "#")
    while position < target.count, target[position] != UInt8(ascii: "#") {
      append(target[position])
      position += 1
    }
    guard position < target.count else { return }
    // To some old parsers this is still the user name of a host that follows: "http://a#@b/".
    if authority != nil, !hasPathOrQuery {
      for offset in position..<target.count where target[offset] == UInt8(ascii: "@") { throw .userinfo }
    }
    changes.insert(.fragment)
  }

  /// Where the authority of an http or https URL is, including user and password; nil for another target.
  public static func authority(of target: Span<UInt8>) -> Range<Int>? {
    let start: Int
    if target.count >= 7, target.equals("http://", count: 7, at: 0) {
      start = 7
    } else if target.count >= 8, target.equals("https://", count: 8, at: 0) {
      start = 8
    } else {
      return nil
    }
    var end = start
    while end < target.count, !endsAuthority(target[end]) { end += 1 }
    return start..<end
  }

  /// How many bytes of a Host field are user, password and `@`, if it repeats the authority of the target; nil if it says
  /// anything else.
  ///
  /// Python's urllib repeats it decoded, each character as one byte (ISO 8859-1). Such a Host may have a second `@`, and is
  /// still accepted: it can only mean this authority, and the target is what counts (RFC 9112 section 3.2.2).
  public static func repeatedUserinfo(host: Span<UInt8>, of target: Span<UInt8>) -> Int? {
    guard let authority = authority(of: target),
      let end = authority.first(where: { target[$0] == UInt8(ascii: "@") })
    else { return nil }
    let userinfo = authority.lowerBound..<end
    let name = target.extracting(end..<authority.upperBound)
    guard isUserinfo(target, userinfo), host.count >= name.count else { return nil }
    let length = host.count - name.count
    guard name.indices.allSatisfy({ host[length + $0] == name[$0] }) else { return nil }
    let written = userinfo.map { target[$0] }
    let decoded = percentDecoded(written)
    let characters = String(decoding: decoded, as: UTF8.self).unicodeScalars.map { UInt8(exactly: $0.value) }
    let forms = [written, decoded, characters.contains(nil) ? written : characters.compactMap(\.self)]
    let isRepeated = forms.contains { form in
      form.count == length && form.indices.allSatisfy { form[$0] == host[$0] }
    }
    return isRepeated ? length + 1 : nil
  }

  private static func percentDecoded(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count, let high = bytes[position + 1].hexValue,
        let low = bytes[position + 2].hexValue
      {
        result.append(high << 4 | low)
        position += 3
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    return result
  }

  private static func endsAuthority(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  /// Copies scheme and authority, without the user and password.
  private mutating func takeUserinfo(_ target: Span<UInt8>, _ authority: Range<Int>) throws(WireError) {
    var end: Int?
    for offset in authority where target[offset] == UInt8(ascii: "@") {
      // Programs differ in which of two they use.
      guard end == nil else { throw .userinfo }
      end = offset
    }
    for offset in 0..<authority.lowerBound { bytes.append(target[offset]) }
    var host = authority
    if let end {
      guard Self.isUserinfo(target, authority.lowerBound..<end) else { throw .userinfo }
      userinfo = authority.lowerBound..<end
      changes.insert(.userinfo)
      host = end + 1..<authority.upperBound
    }
    for offset in host {
      // The parser reports other problems of the host.
      guard target[offset] < 0x80 else { throw .invalidHost }
      bytes.append(target[offset])
    }
  }

  /// Whether `range` is a user and password in only one reading: it has nothing that a program could take for the end of the
  /// authority or for an address, no control character, encoded or not, and no colon within the user name.
  private static func isUserinfo(_ target: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    var isInUser = true
    while position < range.upperBound {
      var byte = target[position]
      let isEncoded = byte == UInt8(ascii: "%")
      if isEncoded {
        guard position + 2 < range.upperBound, let high = target[position + 1].hexValue,
          let low = target[position + 2].hexValue
        else { return false }
        byte = high << 4 | low
        position += 2
      }
      position += 1
      if byte <= 0x20 && !(isEncoded && byte == 0x20) || byte == 0x7f { return false }
      switch byte {
      case UInt8(ascii: ":"):
        // RFC 7617: the first colon ends the user name.
        if isEncoded && isInUser { return false }
        isInUser = false
      case UInt8(ascii: "\\"), UInt8(ascii: "["), UInt8(ascii: "]"): if !isEncoded { return false }
      default: break
      }
    }
    return true
  }

  /// Appends a byte of the path or the query, encoded if it must be.
  private mutating func append(_ byte: UInt8) {
    guard byte >= 0x80 || ByteClass.contains(byte, ByteClass.unwise) else { return bytes.append(byte) }
    bytes.append(UInt8(ascii: "%"))
    bytes.append((byte >> 4).hexDigit(uppercase: true))
    bytes.append((byte & 0x0f).hexDigit(uppercase: true))
    changes.insert(.rawBytes)
  }
}
