/// What a field of a request replaces or names in the eyes of some servers and frameworks.
enum OverrideField: UInt8 {
  /// The method.
  case method
  /// The path, or a part of it.
  case path
  /// A beginning of the path: some applications remove it from the path, others put it in front.
  case prefix
  /// The path that is written to (RFC 4918 section 10.3).
  case destination
  /// The path that is read from: of a copy or move whose target is in the request line.
  case source
  /// The same, named below the account of the request (OpenStack Swift).
  case accountSource

  private static let methodNames: [StaticString] = ["x-http-method-override", "x-http-method", "x-method-override"]
  /// Path names other than those below; all begin with "x-".
  private static let pathNames: [StaticString] = [
    // IIS and its rewriting modules, Symfony, Laminas.
    "x-original-url", "x-rewrite-url", "x-override-url", "x-waws-unencoded-url", "x-http-destinationurl",
    // Reverse proxies and the applications behind them.
    "x-original-uri", "x-rewrite-uri", "x-forwarded-uri", "x-forwarded-url", "x-forwarded-path", "x-original-path",
    "x-original-request-uri", "x-request-uri", "x-envoy-original-path", "x-replaced-path",
    // WSGI middleware.
    "x-script-name", "x-path-info", "x-forwarded-script-name", "x-forwarded-path-info",
    // Next.js.
    "x-matched-path", "x-invoke-path", "x-middleware-rewrite",
    // Rack::Sendfile: the response then names another file to the web server in front (CVE-2025-61780).
    "x-accel-mapping", "x-sendfile-type",
  ]
  /// Ends of the names by which storage services know the source of a copy, after "x-" and the service's own part.
  private static let sourceEnds: [StaticString] = ["-copy-source", "-rename-source", "-move-source"]

  /// The meaning of the field called `name`, in any case, and with any punctuation for `-`: CGI and its relatives write
  /// `_` for it, and for other characters too.
  ///
  /// This runs for the fields that the proxy does not know itself, on routes with a rule that they could break.
  init?(_ name: Span<UInt8>) {
    guard name.count >= 9 else { return nil }
    switch name[0] | 0x20 {
    case UInt8(ascii: "x"):
      guard Self.folded(name[1]) == UInt8(ascii: "-") else { return nil }
      if Self.methodNames.contains(where: { Self.equal($0, name) }) {
        self = .method
      } else if Self.equal("x-forwarded-prefix", name) {
        self = .prefix
      } else if Self.sourceEnds.contains(where: { Self.ends(name, with: $0) }) {
        self = .source
      } else if Self.equal("x-copy-from", name) {
        self = .accountSource
      } else if Self.pathNames.contains(where: { Self.equal($0, name) }) {
        self = .path
      } else {
        return nil
      }
    case UInt8(ascii: "d") where Self.equal("destination", name): self = .destination
    // Gunicorn takes the first two for the variables of WSGI.
    case UInt8(ascii: "s") where Self.equal("script-name", name): self = .path
    case UInt8(ascii: "p") where Self.equal("path-info", name): self = .path
    case UInt8(ascii: "r") where Self.equal("request-uri", name): self = .path
    default: return nil
    }
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
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
    default: UInt8(ascii: "-")
    }
  }
}
