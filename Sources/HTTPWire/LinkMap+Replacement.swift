extension LinkMap {
  /// What stands in the place of the beginning of a reference.
  struct Replacement {
    /// Whether that is scheme and authority as well, rather than a path alone.
    var namesOrigin: Bool
    /// Whether a slash is missing between what is put in and ``rest``.
    var needsSlash: Bool
    /// What stays of the reference.
    var rest: ByteRange
  }

  /// How the reference (RFC 3986 4.1) at `range` of a field's value is to be written; nil where it stays as it is: it
  /// leads elsewhere, or is relative to the path of the request, or is none that is understood in one way.
  func replacement(for range: ByteRange, _ bytes: Span<UInt8>) -> Replacement? {
    let (start, end) = (Int(range.start), Int(range.end))
    guard let server = serverEnd(bytes, from: start, to: end) else { return nil }
    guard let base = basePathEnd(bytes, from: server, to: end), !leavesBase(bytes, from: base, to: end) else {
      return nil
    }
    let namesOrigin = server > start && !origin.isEmpty
    let needsSlash = base == end || bytes[base] != UInt8(ascii: "/")
    let replacement = Replacement(namesOrigin: namesOrigin, needsSlash: needsSlash, rest: ByteRange(base..<end))
    // Two slashes at the beginning would name a host, and to a browser the second one may lean the other way.
    if !namesOrigin, mount.isEmpty, base + 1 < end, !needsSlash, Self.isSlash(bytes[base + 1]) { return nil }
    return replacement
  }

  /// Where the path begins, if the reference names the upstream, or no server at all: then that is its beginning. Nil for
  /// other servers, and for what has no path from the root.
  private func serverEnd(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int? {
    var position = start
    if end - start >= 7, bytes.equals("http://", count: 7, at: start) {
      guard upstream.scheme == .http else { return nil }
      position += 7
    } else if end - start >= 8, bytes.equals("https://", count: 8, at: start) {
      guard upstream.scheme == .https else { return nil }
      position += 8
    } else {
      guard start < end, bytes[start] == UInt8(ascii: "/") else { return nil }
      guard start + 1 < end, bytes[start + 1] == UInt8(ascii: "/") else { return start }
      position += 2
    }
    let authority = position
    while position < end, !Self.endsPath(bytes[position]), bytes[position] != UInt8(ascii: "/") { position += 1 }
    return isUpstream(bytes, ByteRange(authority..<position)) ? position : nil
  }

  private func isUpstream(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    guard let authority = try? Authority.parse(bytes, range), authority.kind == upstream.kind,
      authority.port ?? upstream.scheme.defaultPort == upstream.port
    else { return false }
    let name = authority.nameWithoutDot
    guard authority.kind == .name else { return true }
    guard name.count == upstream.host.count else { return false }
    return zip(name.range, upstream.host).allSatisfy { Self.lowercased(bytes[$0]) == Self.lowercased($1) }
  }

  /// Where the base path ends; nil where the path is not at or below it.
  private func basePathEnd(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int? {
    let basePath = upstream.basePath
    guard basePath.count <= end - start else { return nil }
    for index in basePath.indices where bytes[start + index] != basePath[index] { return nil }
    let position = start + basePath.count
    guard position < end, bytes[position] != UInt8(ascii: "/"), !Self.endsPath(bytes[position]) else { return position }
    return nil
  }

  /// Whether dot segments lead to what is not below the base path. Empty segments count for nothing: programs disagree
  /// about them.
  private func leavesBase(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
    var depth = 0
    var position = start
    while position < end, !Self.endsPath(bytes[position]) {
      // On the slash before a segment.
      position += 1
      let segment = position
      var dots = 0
      while position < end, let length = Self.dotLength(bytes, at: position, to: end) {
        position += length
        dots += 1
      }
      let isDots = position == end || Self.isSlash(bytes[position]) || Self.endsPath(bytes[position])
      while position < end, !Self.isSlash(bytes[position]), !Self.endsPath(bytes[position]) { position += 1 }
      if isDots, dots == 2 {
        depth -= 1
      } else if !(isDots && dots == 1), position > segment {
        depth += 1
      }
      if depth < 0 { return true }
    }
    return false
  }

  /// How long the dot at `position` is, as it is or percent-encoded; nil where there is none.
  private static func dotLength(_ bytes: Span<UInt8>, at position: Int, to end: Int) -> Int? {
    if bytes[position] == UInt8(ascii: ".") { return 1 }
    return end - position >= 3 && bytes.equals("%2e", count: 3, at: position) ? 3 : nil
  }

  private static func isSlash(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") }

  private static func endsPath(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") }

  private static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}
