/// What a field of a request replaces in the eyes of some frameworks, once the request has arrived there.
enum OverrideField {
  /// The method.
  case method
  /// The path.
  case path
  /// Nothing, but COPY and MOVE write to the path that it names (RFC 4918 section 10.3).
  case destination

  private static let methodNames: [StaticString] = ["x-http-method-override", "x-http-method", "x-method-override"]
  private static let pathNames: [StaticString] = ["x-original-url", "x-rewrite-url"]

  /// The meaning of the field called `name`, in any case and with `_` for `-`, which CGI and its kin do not tell apart;
  /// nil for every other field.
  init?(_ name: Span<UInt8>) {
    guard name.count > 9 else { return nil }
    switch name[0] | 0x20 {
    case UInt8(ascii: "x"): break
    case UInt8(ascii: "d") where Self.equal("destination", name):
      self = .destination
      return
    default: return nil
    }
    if Self.methodNames.contains(where: { Self.equal($0, name) }) {
      self = .method
    } else if Self.pathNames.contains(where: { Self.equal($0, name) }) {
      self = .path
    } else {
      return nil
    }
  }

  private static func equal(_ known: StaticString, _ name: Span<UInt8>) -> Bool {
    known.withUTF8Buffer { wanted in
      guard wanted.count == name.count else { return false }
      for index in name.indices {
        let byte = name[index] == UInt8(ascii: "_") ? UInt8(ascii: "-") : name[index] | 0x20
        guard unsafe byte == wanted[index] else { return false }
      }
      return true
    }
  }
}
