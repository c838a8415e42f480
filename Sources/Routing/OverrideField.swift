internal import Encodings

/// What a field of a request replaces or names, to some servers and frameworks.
public enum OverrideField: UInt8, Sendable {
  /// The method.
  case method
  /// The path, or a part of it.
  case path
  /// The path before a reverse proxy rewrote it, which some applications behind such a proxy use instead.
  case original
  /// The same for Kong's X-Forwarded-Path, which Kong sends with every request. Other programs put a prefix into it.
  case forwardedPath
  /// A prefix of the path: some applications remove it from the path, others prepend it.
  case prefix
  /// The path that the request writes to (RFC 4918 section 10.3).
  case destination
  /// The path that the request reads: of a copy or move whose target is in the request line.
  case source
  /// A path that the request reads or links to, below its account (OpenStack Swift) or its bucket (OSS).
  case accountSource

  /// The last two tell an authorizing server the method of another request. Some applications obey them.
  private static let methodNames: [StaticString] = [
    "x-http-method-override", "x-http-method", "x-method-override", "x-original-method", "x-forwarded-method",
  ]
  /// Path names other than those below; all begin with "x-".
  private static let pathNames: [StaticString] = [
    // IIS and its rewriting modules.
    "x-override-url", "x-http-destinationurl",
    // WSGI middleware.
    "x-script-name", "x-path-info", "x-forwarded-script-name", "x-forwarded-path-info",
    // Next.js.
    "x-matched-path", "x-invoke-path", "x-middleware-rewrite",
    // Rack::Sendfile: the response then names another file to the web server in front of it (CVE-2025-61780).
    "x-accel-mapping", "x-sendfile-type",
    // OpenStack Swift: the account of the paths in other fields, and the common prefix of the names of all objects that a
    // download joins. That prefix may end within a segment, so no look-up tells which routes it reaches.
    "x-copy-from-account", "x-symlink-target-account", "x-object-manifest",
  ]
  /// Also "x-".
  private static let originalNames: [StaticString] = [
    // IIS and its rewriting modules, Symfony, Laminas.
    "x-original-url", "x-rewrite-url", "x-waws-unencoded-url",
    // Reverse proxies and the applications behind them.
    "x-original-uri", "x-rewrite-uri", "x-forwarded-uri", "x-forwarded-url", "x-original-path",
    "x-original-request-uri", "x-request-uri", "x-envoy-original-path", "x-replaced-path",
  ]
  /// Names of an application's mount point. Home Assistant uses X-Ingress-Path, Apache Knox and Jupyter the last two.
  private static let prefixNames: [StaticString] = [
    "x-forwarded-prefix", "x-ingress-path", "x-forwarded-context", "x-proxycontextpath",
  ]
  /// Endings of the names by which storage services know the source of a copy, after "x-" and the service's own part.
  private static let sourceEnds: [StaticString] = ["-copy-source", "-rename-source", "-move-source"]
  private static let accountSourceNames: [StaticString] = [
    "x-copy-from", "x-symlink-target", "x-versions-location", "x-history-location", "x-oss-symlink-target",
  ]

  /// The meaning of the field called `name`, ignoring case, and with any punctuation for `-`: CGI and similar interfaces
  /// replace it, and other characters too, by `_`.
  ///
  /// This runs only for fields that the proxy does not know, on routes with a rule that they could bypass.
  public init?(_ name: Span<UInt8>) {
    guard name.count >= 9 else { return nil }
    switch name[0] | 0x20 {
    case UInt8(ascii: "x"):
      guard Self.folded(name[1]) == UInt8(ascii: "-") else { return nil }
      func isOne(of names: [StaticString]) -> Bool { names.contains { Self.equal($0, name) } }
      if isOne(of: Self.methodNames) {
        self = .method
      } else if isOne(of: Self.prefixNames) {
        self = .prefix
      } else if Self.sourceEnds.contains(where: { Self.ends(name, with: $0) }) {
        self = .source
      } else if isOne(of: Self.accountSourceNames) {
        self = .accountSource
      } else if isOne(of: Self.originalNames) {
        self = .original
      } else if Self.equal("x-forwarded-path", name) {
        self = .forwardedPath
      } else if isOne(of: Self.pathNames) {
        self = .path
      } else {
        return nil
      }
    case UInt8(ascii: "d") where Self.equal("destination", name): self = .destination
    case UInt8(ascii: "d") where Self.equal("destination-account", name): self = .path
    // Gunicorn takes the first two for WSGI variables.
    case UInt8(ascii: "s") where Self.equal("script-name", name): self = .path
    case UInt8(ascii: "p") where Self.equal("path-info", name): self = .path
    case UInt8(ascii: "r") where Self.equal("request-uri", name): self = .path
    default: return nil
    }
  }

  /// Whether two names are the same to servers that fold them like this.
  public static func equal(_ name: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    guard name.count == other.count else { return false }
    for index in name.indices where folded(name[index]) != folded(other[index]) { return false }
    return true
  }

  private static func equal(_ known: StaticString, _ name: Span<UInt8>) -> Bool {
    known.utf8CodeUnitCount == name.count && ends(name, with: known)
  }

  private static func ends(_ name: Span<UInt8>, with known: StaticString) -> Bool {
    known.withUTF8Buffer { wanted in
      guard wanted.count <= name.count else { return false }
      let start = name.count - wanted.count
      for index in wanted.indices {
        guard unsafe folded(name[start + index]) == wanted[index] else { return false }
      }
      return true
    }
  }

  /// Letters in lower case, digits, and `-` for everything else.
  private static func folded(_ byte: UInt8) -> UInt8 {
    byte.isLetter || byte.isDigit ? byte.asciiLowercased : UInt8(ascii: "-")
  }
}
