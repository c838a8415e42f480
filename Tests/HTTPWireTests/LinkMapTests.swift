import Bytes
import Deliveries
import HTTPWire
import Testing

/// Forwards a response as the proxy does to a client that knows the upstream by another name.
private func forwarded(_ fields: String, _ links: LinkMap?, capacity: Int = 65_536) throws -> String {
  let message = bytes("HTTP/1.1 200 OK\r\n\(fields)\r\n")
  var parser = ResponseHeadParser(limits: HeadLimits())
  var head = ResponseHead()
  guard try parser.parse(message.span, into: &head) else { throw Unexpected(outcome: "incomplete") }
  let output = ByteBuffer(capacity: capacity)
  var writer = HeadWriter(output)
  writer.forwardFields(of: head, message.span, links: head.hasLinks ? links : nil)
  try writer.end()
  // To Swift, CR LF is one character.
  return String(text(of: output).dropLast())
}

private func links(
  to upstream: LinkMap.Upstream, scheme: RequestTarget.Scheme = .http, for host: String?, mount: String
) throws -> LinkMap {
  let text = bytes(host ?? "")
  let authority = host == nil ? nil : try RequestTarget.parseAuthority(text.span, ByteRange(0..<text.count))
  let mount = bytes(mount)
  return LinkMap(upstream, scheme: scheme, authority: authority, text.span, mount: mount.span)
}

@Suite("References that lead to the upstream") struct LinkMapTests {
  private static let orders = LinkMap.Upstream(
    scheme: .https, host: "orders.example.com", port: 443, basePath: bytes("/base"))
  private static let root = LinkMap.Upstream(scheme: .https, host: "orders.example.com", port: 443, basePath: [])

  /// What becomes of a reference in Location, behind a mount, for a client that calls the proxy 127.0.0.1:8080.
  private func location(
    _ reference: String, to upstream: LinkMap.Upstream = orders, for host: String? = "127.0.0.1:8080",
    mount: String = "/orders"
  ) throws -> String {
    let line = try forwarded("Location: \(reference)\r\n", links(to: upstream, for: host, mount: mount))
    return String(line.dropFirst(10).dropLast())
  }

  private static let proxy = "http://127.0.0.1:8080/orders"

  @Test(
    "those that name the upstream name the proxy",
    arguments: [
      ("https://orders.example.com/base/v1/7", "\(proxy)/v1/7"),
      ("https://orders.example.com:443/base/v1/7?a=/b#c", "\(proxy)/v1/7?a=/b#c"),
      ("HTTPS://Orders.Example.COM/base/x", "\(proxy)/x"),
      ("https://orders.example.com./base/x", "\(proxy)/x"),
      ("https://orders.example.com:/base/x", "\(proxy)/x"),
      ("//orders.example.com/base/x", "\(proxy)/x"),
      ("//orders.example.com:443/base/x", "\(proxy)/x"),
      ("https://orders.example.com/base", "\(proxy)/"),
      ("https://orders.example.com/base/", "\(proxy)/"),
      ("https://orders.example.com/base?page=2", "\(proxy)/?page=2"),
      ("https://orders.example.com/base#top", "\(proxy)/#top"),
      ("https://orders.example.com/base//x", "\(proxy)//x"),
      ("https://orders.example.com/base/a/../b", "\(proxy)/a/../b"),
      ("https://orders.example.com/base/./a%2e/...", "\(proxy)/./a%2e/..."),
      ("https://orders.example.com/base/with space", "\(proxy)/with space"),
      ("https://orders.example.com/base/?next=https://other.example.com/", "\(proxy)/?next=https://other.example.com/"),
    ])
  func absolute(reference: String, expected: String) throws {
    #expect(try location(reference) == expected)
  }

  @Test(
    "paths from the root are those of the proxy",
    arguments: [
      ("/base/v1/7", "/orders/v1/7"), ("/base", "/orders/"), ("/base/", "/orders/"), ("/base?x", "/orders/?x"),
      ("/base#x", "/orders/#x"), ("/base/a/..", "/orders/a/.."),
    ])
  func path(reference: String, expected: String) throws {
    #expect(try location(reference) == expected)
  }

  @Test(
    "all others stay as they are",
    arguments: [
      // Another server, or another part of it.
      "https://other.example.com/base/x", "http://orders.example.com/base/x", "https://orders.example.com:8443/base/x",
      "https://orders.example.com/", "https://orders.example.com", "https://orders.example.com/basement/x",
      "https://orders.example.com/Base/x", "https://orders.example.com/%62ase/x", "//other.example.com/base/x",
      "https://orders.example.com.evil.example/base", "https://xorders.example.com/base/x",
      "/other", "/basement", "/", "//", "ftp://orders.example.com/base/x", "https://127.0.0.1/base/x",
      // With a user, or malformed.
      "https://user@orders.example.com/base/x", "https://orders.example.com@evil.example/base/x",
      "https://orders.example.com:443@evil.example/base/x", "https://orders.example.com:x/base/x",
      "https://orders.example.com:0/base/x", "https://orders.example.com\\@evil.example/base/x",
      "https:/orders.example.com/base/x", "https:orders.example.com/base/x", "https:///base/x", "https://", "http://",
      "https://[orders.example.com]/base/x", "https://orders.example.com\\base/x", "/base\\x",
      // Out of the base path.
      "https://orders.example.com/base/../x", "/base/..", "/base/a/../../x", "/base/%2e%2E/x", "/base/.%2e/x",
      "/base//../x", "/base/a\\..\\..\\x", "/base/../base/x",
      // Relative to the request's path.
      "x", "../x", "?page=2", "#top", "", "./base/x", "base/x",
    ])
  func untouched(reference: String) throws {
    #expect(try location(reference) == reference)
  }

  @Test(
    "an upstream of any kind is recognised, and nothing beside it",
    arguments: [
      (LinkMap.Upstream(scheme: .http, host: "::1", port: 8081, basePath: []), "http://[::1]:8081/x", true),
      (LinkMap.Upstream(scheme: .http, host: "::1", port: 8081, basePath: []), "http://[0:0::0:1]:8081/x", true),
      (LinkMap.Upstream(scheme: .http, host: "::1", port: 8081, basePath: []), "http://[::2]:8081/x", false),
      (LinkMap.Upstream(scheme: .http, host: "127.0.0.1", port: 80, basePath: []), "http://127.0.0.1/x", true),
      (LinkMap.Upstream(scheme: .http, host: "127.0.0.1", port: 80, basePath: []), "http://127.0.0.1:443/x", false),
      (LinkMap.Upstream(scheme: .http, host: "127.0.0.1", port: 80, basePath: []), "//127.0.0.1:80/x", true),
      (LinkMap.Upstream(scheme: .https, host: "a", port: 8443, basePath: []), "https://a:8443/x", true),
      (LinkMap.Upstream(scheme: .https, host: "a", port: 8443, basePath: []), "https://a/x", false),
    ])
  func upstreams(upstream: LinkMap.Upstream, reference: String, leadsThere: Bool) throws {
    #expect(try location(reference, to: upstream) == (leadsThere ? "\(Self.proxy)/x" : reference))
  }

  @Test(
    "references use the name by which the client calls the proxy",
    arguments: ["localhost", "[::1]:8080", "proxy.lan:81"])
  func authority(host: String) throws {
    #expect(try location("https://orders.example.com/base/x", for: host) == "http://\(host)/orders/x")
    #expect(try location("/base/x", for: host) == "/orders/x")
    let secure = try links(to: Self.orders, scheme: .https, for: host, mount: "/orders")
    #expect(
      try forwarded("Location: https://orders.example.com/base/x\r\n", secure)
        == "Location: https://\(host)/orders/x\r\n")
  }

  @Test("a client that names no host gets paths")
  func withoutAuthority() throws {
    #expect(try location("https://orders.example.com/base/x?y", for: nil) == "/orders/x?y")
    #expect(try location("//orders.example.com/base", for: nil) == "/orders/")
    #expect(try location("https://orders.example.com", to: Self.root, for: nil, mount: "") == "/")
    #expect(try location("https://orders.example.com?y", to: Self.root, for: nil, mount: "") == "/?y")
  }

  @Test("without a mount only the server changes, and the base path")
  func withoutMount() throws {
    #expect(
      try location("https://orders.example.com/base/x", for: "orders.internal", mount: "") == "http://orders.internal/x"
    )
    #expect(
      try location("https://orders.example.com/x", to: Self.root, for: "orders.internal", mount: "")
        == "http://orders.internal/x")
    #expect(try location("/base/x", for: "orders.internal", mount: "") == "/x")
    #expect(try location("/x", to: Self.root, for: "orders.internal", mount: "") == "/x")
  }

  @Test(
    "no path becomes the name of a host",
    arguments: ["/base//evil.example/x", "/base/\\evil.example/x", "//orders.example.com/base//evil.example"])
  func noHost(reference: String) throws {
    #expect(try location(reference, for: nil, mount: "") == reference)
  }

  @Test(
    "every link of a Link field is looked at, and its parameters are left alone",
    arguments: [
      ("</base/a>", "</orders/a>"),
      ("</base/a>; rel=next, </base/b>;rel=\"prev\"", "</orders/a>; rel=next, </orders/b>;rel=\"prev\""),
      (
        "<https://orders.example.com/base/a?page=2>; rel=\"next\",<https://other.example.com/base/b>; rel=last",
        "<\(proxy)/a?page=2>; rel=\"next\",<https://other.example.com/base/b>; rel=last"
      ),
      (
        #"</base/a>; title="</base/b>, </base/c>; \", </base/d>"; rel=x, </base/e>"#,
        #"</orders/a>; title="</base/b>, </base/c>; \", </base/d>"; rel=x, </orders/e>"#
      ),
      (",, , </base/a> ,\t,</base/b>,", ",, , </orders/a> ,\t,</orders/b>,"),
      ("</base/a,b;c=\"d>; rel=x", "</orders/a,b;c=\"d>; rel=x"),
      ("<>; rel=self, <#x>, <a>", "<>; rel=self, <#x>, <a>"),
      ("</base/a>; rel=next </base/b>", "</orders/a>; rel=next </base/b>"),
      ("</base/a>;;; rel, </base/b>", "</orders/a>;;; rel, </orders/b>"),
      // The context is a reference too.
      ("</base/a>; anchor=\"/base/b\"; rel=x, </base/c>", "</orders/a>; anchor=\"/orders/b\"; rel=x, </orders/c>"),
      ("</base/a>; ANCHOR = \"https://orders.example.com/base\"", "</orders/a>; ANCHOR = \"\(proxy)/\""),
      ("</base/a>; anchor=\"#b\", </base/c>", "</orders/a>; anchor=\"#b\", </orders/c>"),
      (#"</base/a>; anchor="/base/\b", </base/c>"#, #"</orders/a>; anchor="/base/\b", </orders/c>"#),
      ("</base/a>; anchors=\"/base/b\"", "</orders/a>; anchors=\"/base/b\""),
      ("</base/a>; anchor", "</orders/a>; anchor"), ("</base/a>; anchor=", "</orders/a>; anchor="),
      // What does not follow the grammar, and what is behind it.
      ("/base/a", "/base/a"), ("</base/a", "</base/a"), ("rel=x, </base/a>", "rel=x, </base/a>"), ("<", "<"), ("", ""),
      ("</base/a>; title=\"x, </base/b>", "</orders/a>; title=\"x, </base/b>"),
      ("</base/a>; anchor=\"/base/b", "</orders/a>; anchor=\"/base/b"),
      ("</base/a>; title=\"x\\", "</orders/a>; title=\"x\\"),
    ])
  func list(value: String, expected: String) throws {
    let map = try links(to: Self.orders, for: "127.0.0.1:8080", mount: "/orders")
    #expect(try forwarded("Link: \(value)\r\n", map) == "Link: \(expected)\r\n")
  }

  @Test("fields keep their order and their names, and others are none of this")
  func fields() throws {
    let map = try links(to: Self.orders, for: "127.0.0.1:8080", mount: "/orders")
    let fields =
      "A: /base/1\r\nlocation:/base/2\r\nB: 1\r\nLink: </base/3>\r\nCONTENT-LOCATION: \t/base/4 \r\nLink:  </base/5>\r\n"
      + "Refresh: 0; url=/base/6\r\nC: 2\r\n"
    #expect(
      try forwarded(fields, map)
        == "A: /base/1\r\nlocation: /orders/2\r\nB: 1\r\nLink: </orders/3>\r\nCONTENT-LOCATION: /orders/4\r\n"
        + "Link: </orders/5>\r\nRefresh: 0; url=/base/6\r\nC: 2\r\n")
    #expect(
      try forwarded(fields, nil)
        == "A: /base/1\r\nlocation: /base/2\r\nB: 1\r\nLink: </base/3>\r\nCONTENT-LOCATION: /base/4\r\n"
        + "Link: </base/5>\r\nRefresh: 0; url=/base/6\r\nC: 2\r\n")
    #expect(try forwarded("Connection: location\r\nLocation: /base/x\r\n", map) == "")
  }

  @Test("what becomes too large for the head is reported, wherever the room ends")
  func full() throws {
    let map = try links(to: Self.orders, for: "127.0.0.1:8080", mount: "/orders")
    let fields = "A: 1\r\nLink: </base/3>, <//orders.example.com/base>; rel=x\r\nB: 2\r\n"
    let needed = try forwarded(fields, map).utf8.count + 2
    for capacity in 0..<needed {
      #expect(throws: WireError.headTooLarge) { try forwarded(fields, map, capacity: capacity) }
    }
    #expect(try forwarded(fields, map, capacity: needed).hasSuffix("B: 2\r\n"))
  }
}
