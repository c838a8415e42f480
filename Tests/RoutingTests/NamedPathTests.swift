import Testing

@testable import Routing

@Suite("Paths in fields")
struct NamedPathTests {
  private func named(_ value: String, needsSlash: Bool = true) -> String? {
    let bytes = Array(value.utf8)
    return NamedPath(bytes.span, needsSlash: needsSlash).map { String(decoding: $0.path, as: UTF8.self) }
  }

  private func prefix(_ value: String) -> String? {
    let bytes = Array(value.utf8)
    return NamedPath.prefix(bytes.span).map { String(decoding: $0, as: UTF8.self) }
  }

  /// "-" where nothing is removed, "?" where that is not known.
  private func removing(_ prefix: String, from path: String) -> String {
    switch NamedPath.remove(Array(prefix.utf8), from: Array(path.utf8)) {
    case .nothing: "-"
    case .rest(let rest): String(decoding: rest, as: UTF8.self)
    case .unclear: "?"
    }
  }

  @Test(
    "are those of a URL or of a target",
    arguments: [
      ("/b", "/b"), ("http://h/b", "/b"), ("HTTPS://h:8443/b%20c", "/b%20c"), ("http://[::1]/b", "/b"),
      ("/b?c=d", "/b%3Fc=d"), ("http://h/b?/../admin", "/b%3F/../admin"), ("http://h//b", "//b"), ("/b?", "/b%3F"),
    ])
  func paths(value: String, path: String) { #expect(named(value) == path) }

  @Test(
    "are none if a request could not have them",
    arguments: [
      "", "b", "*", "h:80", "http://h", "http://h?/b", "http://h#/b", "http:///b", "http://h\\b/c", "http:/b", "http:b",
      "ftp://h/b", "http://u@h/b", "http://h:x/b", "http://1.2/b", "/a\tb", "/\tb", "http://h/a\tb", "ht\ttp://h/b",
      "/a b", "/a#b", "/a\\b", "/a%", "/a%4", "/a%zz", "/a%00", "/é", "/a\u{7f}", "/a?b#c", "/a?b c", "/a\"b",
    ])
  func noPaths(value: String) {
    #expect(named(value) == nil)
    // An ARN is none either, nor a name behind another scheme.
    #expect(named("arn:" + value, needsSlash: false) == nil && named("gs://" + value, needsSlash: false) == nil)
  }

  @Test("may lack the slash in the source of a copy")
  func sources() {
    #expect(named("bucket/key?v=1", needsSlash: false) == "/bucket/key%3Fv=1")
    #expect(named("a:b/c", needsSlash: false) == nil && named("a/b:c", needsSlash: false) == "/a/b:c")
    #expect(named("ad\tmin/x", needsSlash: false) == nil && named("", needsSlash: false) == nil)
  }

  @Test("are prefixes where all servers read them in one way")
  func prefixes() {
    #expect(prefix("/shop") == "/shop" && prefix("/shop//") == "/shop" && prefix("/") == "" && prefix("") == "")
    for value in [
      "shop", "/a?", "/a#", "/a\tb", "/a b", "/a,/b", "/%61", "/a/../b", "//a", "/a;b", "/a\\", "/a\"", "/é",
    ] {
      #expect(prefix(value) == nil, "\(value)")
    }
  }

  @Test(
    "lose a prefix in all of their readings or in none",
    arguments: [
      ("/shop/x", "/x"), ("/shopx/y", "x/y"), ("/SHOP/x", "/x"), ("/shop", ""), ("/sho", "-"), ("/x/shop", "-"),
      ("/", "-"),
      ("/shop/%61", "/%61"), ("/shop//x", "//x"), ("/shop%20x", "%20x"), ("/x%20y", "-"), ("/x/%2F", "-"),
      ("/sh/%20", "-"),
      ("/caf%C3%A9", "-"), ("/x/a;b/c", "-"), ("/x/../y", "?"), ("/x/./y", "-"), ("/x+y", "-"), ("/x.y/%20", "-"),
      ("/s%68op", "?"), ("/sh%C5%BFop", "?"), ("//shop", "?"), ("/./shop", "?"), ("/x/../shop", "?"),
      ("/x/..%2fshop", "?"),
      ("/x%2fy", "?"), ("/x;y", "?"), ("/x%2e/shop", "?"), ("/(S(x))/shop", "?"), ("/x%20/../shop", "?"),
      ("/x\\..\\shop", "?"),
      ("/x%ef%bc%8fy", "?"), ("/x%c0%af", "?"), ("/x%25", "?"), ("/shop/../../y", "?"), ("/shop;y", "?"),
      ("/x./%20", "?"),
    ])
  func removals(path: String, rest: String) { #expect(removing("/shop", from: path) == rest) }

  @Test("lose a prefix of several segments")
  func longPrefixes() {
    #expect(removing("/a/shop", from: "/a/shop/x%20y") == "/x%20y" && removing("/a/shop", from: "/a/x%20y") == "-")
    #expect(removing("/a/shop", from: "/a%20b") == "?" && removing("/a/shop", from: "/b%20c/shop") == "-")
    #expect(removing("/a/shop", from: "/a/x%20/../shop/y") == "?" && removing("/a/shop", from: "/a//shop") == "?")
  }
}
