import Deliveries
import HTTPWire
import Routing

/// How one server makes a path of a request target: an independent and simple second opinion on what `PathReadings`
/// follows all at once.
struct PathServer: CustomStringConvertible {
  enum Decoding: CaseIterable {
    case never, unreserved, allButSeparators, once, twice, unreservedThenAll
  }
  enum Parameters: CaseIterable {
    case kept, droppedFirst, droppedDecoded, endThePath
  }
  enum DotSegments: CaseIterable {
    case kept, removedFirst, removedDecoded, removedTwice
  }

  let decoding: Decoding
  let parameters: Parameters
  let dotSegments: DotSegments
  let readsOverlong, dropsInvalid, readsBackslash, stopsAtControls, trimsNames, mergesSlashes, dropsHost: Bool
  let trimsBeginnings, dropsTickets, dropsStreams: Bool

  static var count: Int {
    Decoding.allCases.count * Parameters.allCases.count * DotSegments.allCases.count * 1 << 10
  }

  /// One of ``count``.
  init(_ number: Int) {
    var rest = number
    func choose<Choice: CaseIterable>(_ type: Choice.Type) -> Choice where Choice.AllCases == [Choice] {
      defer { rest /= Choice.allCases.count }
      return Choice.allCases[rest % Choice.allCases.count]
    }
    func flip() -> Bool {
      defer { rest /= 2 }
      return rest % 2 == 1
    }
    decoding = choose(Decoding.self)
    parameters = choose(Parameters.self)
    dotSegments = choose(DotSegments.self)
    readsOverlong = flip()
    dropsInvalid = flip()
    readsBackslash = flip()
    stopsAtControls = flip()
    trimsNames = flip()
    mergesSlashes = flip()
    dropsHost = flip()
    trimsBeginnings = flip()
    dropsTickets = flip()
    dropsStreams = flip()
  }

  var description: String {
    "decoding \(decoding), parameters \(parameters), dot segments \(dotSegments), overlong \(readsOverlong), "
      + "invalid dropped \(dropsInvalid), backslash \(readsBackslash), stops \(stopsAtControls), trims \(trimsNames), "
      + "merges \(mergesSlashes), drops //host \(dropsHost), "
      + "trims beginnings \(trimsBeginnings), drops tickets \(dropsTickets), drops streams \(dropsStreams)"
  }

  /// The path that the server looks for.
  func read(_ path: [UInt8]) -> [UInt8] {
    var path = path
    if dropsHost, path.starts(with: Array("//".utf8)) {
      path = path.dropFirst(2).firstIndex(of: UInt8(ascii: "/")).map { Array(path[$0...]) } ?? Array("/".utf8)
    }
    if dropsTickets { path = withoutTickets(path) }
    if parameters == .droppedFirst { path = withoutParameters(path) }
    if dotSegments == .removedFirst || dotSegments == .removedTwice { path = withoutDotSegments(path) }
    path = decoded(path)
    if stopsAtControls, let end = path.firstIndex(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0x3f || $0 == 0x23 }) {
      path = Array(path[..<end])
    }
    if readsBackslash { path = path.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 } }
    if parameters == .droppedDecoded { path = withoutParameters(path) }
    if parameters == .endThePath { path = Array(path.prefix { $0 != UInt8(ascii: ";") }) }
    if dropsStreams { path = withoutStreams(path) }
    if trimsBeginnings { path = mapSegments(path) { Array($0.drop { $0 <= 0x20 }) } }
    if trimsNames { path = withTrimmedNames(path) }
    if mergesSlashes {
      path = path.reduce(into: []) { merged, byte in
        if byte != UInt8(ascii: "/") || merged.last != byte { merged.append(byte) }
      }
    }
    if dotSegments == .removedDecoded || dotSegments == .removedTwice { path = withoutDotSegments(path) }
    return path
  }

  private func decoded(_ path: [UInt8]) -> [UInt8] {
    let once = path
    switch decoding {
    case .never: return utf8Decoded(once)
    case .unreserved: return utf8Decoded(percentDecoded(once) { Self.isUnreserved($0) })
    case .allButSeparators: return utf8Decoded(percentDecoded(once) { $0 != 0x2f && $0 != 0x5c })
    case .once: return utf8Decoded(percentDecoded(once) { _ in true })
    case .twice: return utf8Decoded(percentDecoded(utf8Decoded(percentDecoded(once) { _ in true })) { _ in true })
    case .unreservedThenAll:
      return utf8Decoded(percentDecoded(percentDecoded(once) { Self.isUnreserved($0) }) { _ in true })
    }
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    let character = Character(UnicodeScalar(byte))
    return byte < 0x80 && (character.isLetter || character.isNumber || "-._~".contains(character))
  }

  private func percentDecoded(_ path: [UInt8], where decodes: (UInt8) -> Bool) -> [UInt8] {
    var decoded: [UInt8] = []
    var index = 0
    while index < path.count {
      if path[index] == UInt8(ascii: "%"), index + 2 < path.count,
        let byte = UInt8(String(decoding: path[index + 1...index + 2], as: UTF8.self), radix: 16),
        path[index + 1] != UInt8(ascii: "+"), path[index + 1] != UInt8(ascii: "-"), decodes(byte)
      {
        decoded.append(byte)
        index += 3
      } else {
        decoded.append(path[index])
        index += 1
      }
    }
    return decoded
  }

  private func utf8Decoded(_ path: [UInt8]) -> [UInt8] {
    guard readsOverlong || dropsInvalid else { return path }
    var read: [UInt8] = []
    var index = 0
    while index < path.count {
      let byte = path[index]
      if readsOverlong, byte == 0xc0 || byte == 0xc1, index + 1 < path.count, path[index + 1] & 0xc0 == 0x80 {
        read.append((byte & 1) << 6 | path[index + 1] & 0x3f)
        index += 2
        continue
      }
      if readsOverlong, byte == 0xe0, index + 2 < path.count, path[index + 1] & 0xfe == 0x80,
        path[index + 2] & 0xc0 == 0x80
      {
        read.append((path[index + 1] & 1) << 6 | path[index + 2] & 0x3f)
        index += 3
        continue
      }
      // Valid is what Swift's own decoder accepts.
      let length = (1...4).first { count in
        index + count <= path.count
          && String(validating: path[index..<index + count], as: UTF8.self)?.unicodeScalars.count == 1
      }
      if let length {
        read += path[index..<index + length]
        index += length
      } else {
        if !dropsInvalid { read.append(byte) }
        index += 1
      }
    }
    return read
  }

  private func withoutParameters(_ path: [UInt8]) -> [UInt8] {
    mapSegments(path) { Array($0.prefix { $0 != UInt8(ascii: ";") }) }
  }

  /// As ASP.NET does: `(`, one or more of a letter with a value in parentheses, `)`, and the slash behind it, if the slash
  /// before it stays.
  private func withoutTickets(_ path: [UInt8]) -> [UInt8] {
    guard path.contains(UInt8(ascii: "(")) else { return path }
    let text = String(decoding: path, as: UTF8.self)
    guard text.utf8.elementsEqual(path) else { return path }
    return Array(text.replacing(/\((?:[A-Za-z]\([^\/)]*\))+\)\/?/, with: "").utf8)
  }

  /// As NTFS does.
  private func withoutStreams(_ path: [UInt8]) -> [UInt8] {
    mapSegments(path) { segment in
      guard segment.contains(UInt8(ascii: "$")) else { return segment }
      let text = String(decoding: segment, as: UTF8.self)
      guard let stream = text.firstRange(of: /::\$|:\$/), text.utf8.elementsEqual(segment) else { return segment }
      return Array(text[..<stream.lowerBound].utf8)
    }
  }

  private func withTrimmedNames(_ path: [UInt8]) -> [UInt8] {
    mapSegments(path) { segment in
      if segment == Array(".".utf8) || segment == Array("..".utf8) { return segment }
      var end = segment.count
      while end > 0, " \t.".utf8.contains(segment[end - 1]) { end -= 1 }
      // Of two dots with something behind, the dots are what it is.
      if end == 0, segment.starts(with: Array("..".utf8)) { return Array("..".utf8) }
      return Array(segment[..<end])
    }
  }

  private func mapSegments(_ path: [UInt8], _ change: ([UInt8]) -> [UInt8]) -> [UInt8] {
    let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return Array(segments.map { change(Array($0)) }.joined(separator: [UInt8(ascii: "/")]))
  }

  /// RFC 3986 section 5.2.4.
  private func withoutDotSegments(_ path: [UInt8]) -> [UInt8] {
    var kept: [ArraySlice<UInt8>] = []
    let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for (index, segment) in segments.enumerated() {
      let isLast = index == segments.count - 1
      switch String(decoding: segment, as: UTF8.self) {
      case ".": if isLast { kept.append([]) }
      case "..":
        if kept.count > 1 { kept.removeLast() }
        if isLast { kept.append([]) }
      default: kept.append(segment)
      }
    }
    return Array(kept.joined(separator: [UInt8(ascii: "/")]))
  }
}

/// The territory of a path: the longest prefix that covers it.
private func territory(of path: [UInt8], _ prefixes: [PathPrefix]) -> Int? {
  prefixes.indices.filter { prefixes[$0].covers(path.span) }.max { prefixes[$0].length < prefixes[$1].length }
}

/// Whatever a server makes of a path, it has the outcome that the path as it was sent has, or the path is refused.
///
/// The input is a line for each prefix, an empty line, and the path.
func checkPathReadings(_ input: [UInt8]) throws(Violation) {
  let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  guard let path = lines.last.map({ Array($0) }), path.first == UInt8(ascii: "/"), path.count <= 512,
    (try? RequestTarget.parse(path.span, target: ByteRange(0..<path.count), method: .get))?.path.count == path.count
  else { return }
  var prefixes: [PathPrefix] = [PathPrefix("")]
  for line in lines.dropLast().prefix(8) {
    let text = String(decoding: line, as: UTF8.self)
    // What a route may have, without what servers may read in another way.
    guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 == 0x2f || $0 == 0x2d || isAlphanumeric($0) }),
      !text.contains("//"), !prefixes.contains(PathPrefix(text))
    else { continue }
    prefixes.append(PathPrefix(text))
  }
  guard let sent = territory(of: path, prefixes) else { return }
  let tree = PathTree(prefixes.enumerated().map { ($1, $0) })
  func verdict(isConfined: Bool) -> PathReadings.Verdict {
    let question = PathReadings.Question(prefix: prefixes[sent], isConfined: isConfined, expected: sent)
    return PathReadings.compare(path.span, in: tree, question) { $0 }
  }
  let (free, confined) = (verdict(isConfined: false), verdict(isConfined: true))
  try require(confined != .same || free == .same, "confined, more is the same: \(text(path))")
  let exists = PathReadings.exist(of: path.span)
  try require(exists || free == .same, "\(text(path)) has no readings, and they differ")
  let base = Array("/base".utf8)
  for server in servers(for: input) {
    let read = server.read(path)
    if free == .same {
      try require(
        territory(of: read, prefixes) == sent,
        "\(text(path)) is read as \(text(read)), which is another's than \(prefixes[sent].text): \(server)")
    }
    guard confined == .same else { continue }
    let below = server.read(base + path)
    try require(
      PathPrefix("/base").covers(below.span), "/base\(text(path)) is read as \(text(below)), out of /base: \(server)")
    try require(
      territory(of: Array(below.dropFirst(base.count)), prefixes) == sent || below.count == base.count,
      "/base\(text(path)) is read as \(text(below)), which is another's than \(prefixes[sent].text): \(server)")
  }
}

/// Some servers, others for each input and the same for the same.
private func servers(for input: [UInt8]) -> [PathServer] {
  var number = input.reduce(17) { ($0 &* 31 &+ Int($1)) & 0xffff_ffff }
  return (0..<48).map { _ in
    number = (number &* 1_103_515_245 &+ 12_345) & 0x7fff_ffff
    return PathServer(number / 7 % PathServer.count)
  }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
  byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
}
