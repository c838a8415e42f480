import Deliveries
import HTTPWire
import Testing

@Suite("References of a client that knows the upstream by the proxy's name") struct ClientReferenceTests {
  /// What the upstream gets in place of `reference`, in a request for `host` below `mount`; the name of the case where it is none
  /// to what is below the mount.
  private func mapped(
    _ reference: String, host: String? = "127.0.0.1:8080", scheme: RequestTarget.Scheme = .http, mount: String = "/dav",
    upstream: LinkMap.Upstream = files
  ) throws -> String {
    let (host, mount, value) = (bytes(host ?? ""), bytes(mount), bytes(reference))
    let all = host + mount + value
    let authority =
      host.isEmpty ? nil : try RequestTarget.parseAuthority(all.span, ByteRange(0..<host.count))
    let range = ByteRange(host.count + mount.count..<all.count)
    let found = ClientReference(
      range, all.span, for: authority, scheme: scheme, mount: host.count..<host.count + mount.count)
    guard case .inside(let rest, let namesServer) = found else { return "\(found)" }
    guard let written = upstream.reference(to: rest, all.span, namesServer: namesServer) else { return "none" }
    return String(decoding: written, as: UTF8.self)
  }

  private static let files = LinkMap.Upstream(
    scheme: .https, host: "files.example.com", port: 443, basePath: bytes("/base"))
  private static let root = LinkMap.Upstream(scheme: .http, host: "::1", port: 8081, basePath: [])

  @Test(
    "those below the mount become the upstream's",
    arguments: [
      ("http://127.0.0.1:8080/dav/b", "https://files.example.com/base/b"),
      ("HTTP://127.0.0.1:8080/dav", "https://files.example.com/base/"),
      ("http://127.0.0.1:8080/dav?x=/y", "https://files.example.com/base/?x=/y"),
      ("http://127.0.0.1:8080/dav/caf%C3%A9%20%2F/", "https://files.example.com/base/caf%C3%A9%20%2F/"),
      ("/dav/b", "/base/b"), ("/dav", "/base/"), ("/dav//b", "/base//b"),
      // A server in front of the proxy may have ended TLS.
      ("https://127.0.0.1:8080/dav/b", "https://files.example.com/base/b"),
    ])
  func inside(reference: String, upstream: String) throws {
    #expect(try mapped(reference) == upstream)
  }

  @Test(
    "those to the client's own server and elsewhere are outside, and all others are foreign",
    arguments: [
      ("http://127.0.0.1:8080/other/b", "outside"), ("http://127.0.0.1:8080/", "outside"),
      ("http://127.0.0.1:8080", "outside"), ("http://127.0.0.1:8080/davos/b", "outside"),
      ("http://127.0.0.1:8080/%64av/b", "outside"), ("http://127.0.0.1:8080//dav/b", "outside"),
      ("http://127.0.0.1:8080/Dav/b", "outside"), ("/base/b", "foreign"), ("/davos", "foreign"),
      ("http://127.0.0.1/dav/b", "foreign"), ("http://127.0.0.1:8081/dav/b", "foreign"),
      ("http://127.0.0.2:8080/dav/b", "foreign"), ("https://files.example.com/base/b", "foreign"),
      ("//127.0.0.1:8080/dav/b", "foreign"), ("dav/b", "foreign"), ("", "foreign"), ("*", "foreign"),
      ("http://u@127.0.0.1:8080/dav/b", "foreign"), ("http://127.0.0.1:8080/dav/b#c", "foreign"),
      ("http://127.0.0.1:8080\\dav/b", "foreign"), ("ftp://127.0.0.1:8080/dav/b", "foreign"),
    ])
  func others(reference: String, expected: String) throws {
    #expect(try mapped(reference) == expected)
  }

  @Test("hosts are equal in any case, with and without the default port")
  func hosts() throws {
    for reference in ["http://proxy.example/dav/b", "http://PROXY.example:80/dav/b", "https://proxy.example./dav/b"] {
      #expect(try mapped(reference, host: "Proxy.Example") == "https://files.example.com/base/b")
    }
    #expect(try mapped("http://proxy.example/dav/b", host: "proxy.example:80") == "https://files.example.com/base/b")
    #expect(try mapped("https://proxy.example/dav/b", host: "proxy.example:80") == "foreign")
    #expect(
      try mapped("https://proxy.example/dav/b", host: "proxy.example:443", scheme: .https)
        == "https://files.example.com/base/b")
    #expect(try mapped("http://proxy.example/dav/b", host: nil) == "foreign")
    #expect(try mapped("/dav/b", host: nil) == "/base/b")
  }

  @Test("without a mount and a base path the server alone is another, and no path becomes the name of a server")
  func root() throws {
    #expect(try mapped("http://127.0.0.1:8080/b", mount: "", upstream: Self.root) == "http://[::1]:8081/b")
    #expect(try mapped("http://127.0.0.1:8080", mount: "", upstream: Self.root) == "http://[::1]:8081/")
    #expect(try mapped("/b", mount: "", upstream: Self.root) == "/b")
    #expect(try mapped("/dav//evil.example/b", upstream: Self.root) == "none")
    #expect(try mapped("http://127.0.0.1:8080/dav//b", upstream: Self.root) == "http://[::1]:8081//b")
  }
}
