internal import Encodings

/// Maps the references of a response that lead to the upstream to the proxy: `Location`, `Content-Location` and `Link`, for a
/// client that addresses the upstream by another name.
public struct LinkMap: Sendable {
  /// A part of a server, as references name it.
  public struct Upstream: Sendable {
    let scheme: RequestTarget.Scheme
    let host: [UInt8]
    let kind: Authority.Kind
    let port: UInt16
    let basePath: [UInt8]

    /// - Parameter host: a name without a final dot, or an address, IPv6 without brackets.
    /// - Parameter basePath: the prefix of every path there: empty, or a path without a final slash.
    public init(scheme: RequestTarget.Scheme, host: String, port: UInt16, basePath: [UInt8]) {
      let written = Array((host.contains(":") ? "[\(host)]" : host).utf8)
      let authority = try? Authority.parse(written.span, ByteRange(0..<written.count))
      self.scheme = scheme
      self.host = Array(host.utf8)
      // Text that is not a host is not the name of any host; no reference contains it.
      kind = authority?.kind ?? .name
      self.port = port
      self.basePath = basePath
    }
  }

  let upstream: Upstream
  /// Scheme and authority that the client uses for the proxy; empty if the client named none.
  let origin: [UInt8]
  /// The client's prefix for every path there: empty, or a path without a final slash.
  let mount: [UInt8]

  /// - Parameter scheme: the scheme of the URLs that the client uses for the proxy.
  /// - Parameter authority: the authority that the client requests, within `bytes`; if nil, references become paths.
  public init(
    _ upstream: Upstream, scheme: RequestTarget.Scheme, authority: Authority?, _ bytes: Span<UInt8>, mount: Span<UInt8>
  ) {
    self.upstream = upstream
    self.mount = mount.indices.map { mount[$0] }
    guard let authority else {
      origin = []
      return
    }
    var origin = Array((scheme == .https ? "https://" : "http://").utf8)
    if authority.isIPv6Literal { origin.append(UInt8(ascii: "[")) }
    for offset in authority.host.range { origin.append(bytes[offset]) }
    if authority.isIPv6Literal { origin.append(UInt8(ascii: "]")) }
    if let port = authority.port { origin += Array(":\(port)".utf8) }
    self.origin = origin
  }
}

extension LinkMap {
  /// What replaces the beginning of a reference.
  struct Replacement {
    /// Whether it includes scheme and authority, or only a path.
    var namesOrigin: Bool
    /// Whether a slash is missing between the replacement and ``rest``.
    var needsSlash: Bool
    /// The part of the reference that stays.
    var rest: ByteRange
  }

  /// How to rewrite the reference (RFC 3986 section 4.1) at `range` of a field's value; nil if it stays as it is, because it
  /// leads elsewhere, is relative to the path of the request, or can be read in more than one way.
  func replacement(for range: ByteRange, _ bytes: Span<UInt8>) -> Replacement? {
    let (start, end) = (Int(range.start), Int(range.end))
    guard let server = serverEnd(bytes, from: start, to: end) else { return nil }
    guard let base = basePathEnd(bytes, from: server, to: end), !leavesBase(bytes, from: base, to: end) else {
      return nil
    }
    let namesOrigin = server > start && !origin.isEmpty
    let needsSlash = base == end || bytes[base] != UInt8(ascii: "/")
    let replacement = Replacement(namesOrigin: namesOrigin, needsSlash: needsSlash, rest: ByteRange(base..<end))
    // Two slashes at the beginning would introduce a host; to a browser, even if the second one is a backslash.
    if !namesOrigin, mount.isEmpty, base + 1 < end, !needsSlash, Self.isSlash(bytes[base + 1]) { return nil }
    return replacement
  }

  /// Where the path begins, if the reference names the upstream, or if it names no server. Nil for other servers, and for a
  /// path that does not begin at the root.
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
    return zip(name.range, upstream.host).allSatisfy { bytes[$0].asciiLowercased == $1.asciiLowercased }
  }

  /// Where the base path ends; nil if the path is not at or below it.
  private func basePathEnd(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int? {
    let basePath = upstream.basePath
    guard basePath.count <= end - start else { return nil }
    for index in basePath.indices where bytes[start + index] != basePath[index] { return nil }
    let position = start + basePath.count
    guard position < end, bytes[position] != UInt8(ascii: "/"), !Self.endsPath(bytes[position]) else { return position }
    return nil
  }

  /// Whether dot segments lead out of the base path. Empty segments are not counted: programs disagree about them.
  private func leavesBase(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
    var depth = 0
    var position = start
    while position < end, !Self.endsPath(bytes[position]) {
      // Skip the slash before a segment.
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

  /// The length of the dot at `position`, plain or percent-encoded; nil if there is none.
  private static func dotLength(_ bytes: Span<UInt8>, at position: Int, to end: Int) -> Int? {
    if bytes[position] == UInt8(ascii: ".") { return 1 }
    return end - position >= 3 && bytes.equals("%2e", count: 3, at: position) ? 3 : nil
  }

  private static func isSlash(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") }

  private static func endsPath(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") }
}

/// The URI references in the value of a field: all of `Location` and `Content-Location`; for `Link` (RFC 8288 section 3), the
/// targets and the contexts in `anchor`.
///
/// It ends at the first violation of the grammar.
struct LinkReferences {
  private var position: Int
  private let end: Int
  private let isList: Bool
  // After a link's target, up to the comma that ends the link.
  private var isInParameters = false

  init(_ line: FieldLine) {
    position = Int(line.value.start)
    end = Int(line.value.end)
    isList = line.known == .link
  }

  mutating func next(_ bytes: Span<UInt8>) -> ByteRange? {
    guard isList else { return rest() }
    while true {
      if !isInParameters { return target(bytes) }
      guard position < end else { return nil }
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        guard let closing = closingQuote(bytes) else { return stop() }
        position = closing + 1
      case UInt8(ascii: ";"):
        position += 1
        if let anchor = anchor(bytes) { return anchor }
      default:
        position += 1
        isInParameters = byte != UInt8(ascii: ",")
      }
    }
  }

  private mutating func rest() -> ByteRange? {
    guard position < end else { return nil }
    defer { position = end }
    return ByteRange(position..<end)
  }

  private mutating func stop() -> ByteRange? {
    position = end
    return nil
  }

  /// The text between `<` and `>`, after empty list elements.
  private mutating func target(_ bytes: Span<UInt8>) -> ByteRange? {
    while position < end, [space, tab, UInt8(ascii: ",")].contains(bytes[position]) { position += 1 }
    guard position < end, bytes[position] == UInt8(ascii: "<") else { return stop() }
    let start = position + 1
    position = start
    while position < end, bytes[position] != UInt8(ascii: ">") { position += 1 }
    guard position < end else { return stop() }
    defer { position += 1 }
    isInParameters = true
    return ByteRange(start..<position)
  }

  /// The value of the parameter at this position, if it is `anchor` and has no escapes.
  private mutating func anchor(_ bytes: Span<UInt8>) -> ByteRange? {
    position = bytes.firstNotBlank(from: position, to: end)
    guard end - position >= 6, bytes.equals("anchor", count: 6, at: position) else { return nil }
    let equals = bytes.firstNotBlank(from: position + 6, to: end)
    guard equals < end, bytes[equals] == UInt8(ascii: "=") else { return nil }
    position = bytes.firstNotBlank(from: equals + 1, to: end)
    guard position < end, bytes[position] == UInt8(ascii: "\""), let closing = closingQuote(bytes) else { return nil }
    let value = ByteRange(position + 1..<closing)
    for offset in value.range where bytes[offset] == UInt8(ascii: "\\") { return nil }
    position = closing + 1
    return value
  }

  /// The end of the quoted string that begins here (RFC 9110 section 5.6.4).
  private func closingQuote(_ bytes: Span<UInt8>) -> Int? {
    var position = position + 1
    while position < end, bytes[position] != UInt8(ascii: "\"") {
      position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return position < end ? position : nil
  }
}
