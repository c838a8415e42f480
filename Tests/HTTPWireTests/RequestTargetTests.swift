import Deliveries
import HTTPWire
import Testing

/// A target taken apart, by value.
struct TargetSummary: Equatable, Sendable {
  var form: RequestTarget.Form
  var scheme: RequestTarget.Scheme?
  var host = ""
  var port: UInt16?
  var path = ""
  var query: String?
  var pathAndQuery = ""
}

func parseTarget(_ target: String, method: Method = .get) -> Outcome<TargetSummary> {
  // Something before and behind it, that must not be looked at.
  let message = bytes("@#:\(target)@#:")
  let range = ByteRange(3..<message.count - 3)
  do throws(WireError) {
    let parsed = try RequestTarget.parse(message.span, target: range, method: method)
    return .complete(
      TargetSummary(
        form: parsed.form, scheme: parsed.scheme, host: text(message, parsed.host), port: parsed.port,
        path: text(message, parsed.path), query: parsed.query.map { text(message, $0) },
        pathAndQuery: text(message, parsed.pathAndQuery)))
  } catch {
    return .refused(error)
  }
}

@Suite("Request targets") struct RequestTargetTests {
  @Test(
    "the origin form",
    arguments: [
      ("/", "/", nil), ("/a/b", "/a/b", nil), ("/a?b=c", "/a", "b=c"), ("/?", "/", ""), ("/a?b?c=/d", "/a", "b?c=/d"),
      ("//evil.example/x", "//evil.example/x", nil), ("/a/../b//c/./", "/a/../b//c/./", nil),
      ("/%41%2f%2E%ff", "/%41%2f%2E%ff", nil), ("/a;v=1,2:@!$&'()*+=~_-.", "/a;v=1,2:@!$&'()*+=~_-.", nil),
      ("/[a]{b}|c^d`e", "/[a]{b}|c^d`e", nil), ("/http://a/b", "/http://a/b", nil),
      ("/a?filter={\"a\":[1]}|\\^<>`", "/a", "filter={\"a\":[1]}|\\^<>`"), ("/a?50%&%zz&%00", "/a", "50%&%zz&%00"),
    ] as [(String, String, String?)])
  func origin(target: String, path: String, query: String?) {
    let expected = TargetSummary(form: .origin, scheme: nil, path: path, query: query, pathAndQuery: target)
    #expect(parseTarget(target) == .complete(expected))
    #expect(parseTarget(target, method: .options) == .complete(expected))
  }

  @Test(
    "the absolute form",
    arguments: [
      ("http://a", .http, "a", nil, "", nil), ("http://a/", .http, "a", nil, "/", nil),
      ("HTTP://A.Example/x", .http, "A.Example", nil, "/x", nil), ("hTTps://a:8443/x?y", .https, "a", 8443, "/x", "y"),
      ("http://a?x=1", .http, "a", nil, "", "x=1"), ("http://a:/x", .http, "a", nil, "/x", nil),
      ("http://a:00080/", .http, "a", 80, "/", nil), ("http://a:65535/", .http, "a", 65535, "/", nil),
      ("http://[::1]/", .http, "::1", nil, "/", nil), ("http://[::1]:81", .http, "::1", 81, "", nil),
      ("http://10.0.0.1:1/@", .http, "10.0.0.1", 1, "/@", nil), ("http://a//b", .http, "a", nil, "//b", nil),
      ("http://a/http://b/", .http, "a", nil, "/http://b/", nil),
      ("http://a?http://b/", .http, "a", nil, "", "http://b/"),
    ] as [(String, RequestTarget.Scheme, String, UInt16?, String, String?)])
  func absolute(
    target: String, scheme: RequestTarget.Scheme, host: String, port: UInt16?, path: String, query: String?
  ) {
    let expected = TargetSummary(
      form: .absolute, scheme: scheme, host: host, port: port, path: path, query: query,
      pathAndQuery: path + (query.map { "?" + $0 } ?? ""))
    #expect(parseTarget(target) == .complete(expected))
  }

  @Test("the authority form is for CONNECT, the asterisk for OPTIONS")
  func otherForms() throws {
    let authority = TargetSummary(form: .authority, host: "a.example", port: 443)
    #expect(parseTarget("a.example:443", method: .connect) == .complete(authority))
    #expect(parseTarget("*", method: .options) == .complete(TargetSummary(form: .asterisk)))
    #expect(RequestTarget.Scheme.http.defaultPort == 80)
    #expect(RequestTarget.Scheme.https.defaultPort == 443)
  }

  @Test(
    "an absolute form with nothing behind its authority is told from one with a path",
    arguments: [("http://a", true), ("http://a:80", true), ("http://a/", false), ("http://a?", false), ("/", false)])
  func withoutPathAndQuery(target: String, expected: Bool) throws {
    let message = bytes(target)
    let parsed = try RequestTarget.parse(message.span, target: ByteRange(0..<message.count), method: .options)
    #expect(parsed.isWithoutPathAndQuery == expected)
  }

  @Test(
    "targets that are refused",
    arguments: [
      ("", .get, .invalidTarget), ("*", .get, .asteriskWithoutOptions), ("**", .options, .invalidTarget),
      ("*/", .options, .invalidTarget), ("a", .get, .invalidTarget), ("a/b", .get, .invalidTarget),
      ("a:80", .get, .invalidTarget), ("a.example:443", .get, .invalidTarget), ("?a", .get, .invalidTarget),
      ("#", .get, .invalidTarget), ("\\a", .get, .invalidTarget), ("http:", .get, .invalidTarget),
      ("http:/a", .get, .invalidTarget), ("http:a", .get, .invalidTarget), ("http//a", .get, .invalidTarget),
      ("https:/a/b", .get, .invalidTarget), ("://a", .get, .invalidTarget), ("http:\\\\a", .get, .invalidTarget),
      ("ftp://a/", .get, .unsupportedScheme), ("ws://a/", .get, .unsupportedScheme),
      ("file:///etc/passwd", .get, .unsupportedScheme), ("httpx://a/", .get, .unsupportedScheme),
      ("gopher://127.0.0.1:25/x", .get, .unsupportedScheme), ("javascript:alert(1)", .get, .invalidTarget),
      ("http://", .get, .emptyHost), ("http:///a", .get, .emptyHost), ("http://?a", .get, .emptyHost),
      ("http://:80/", .get, .emptyHost), ("http://u@a/", .get, .userinfo), ("http://u:p@a/", .get, .userinfo),
      ("http://a:80@b/", .get, .userinfo), ("http://@a/", .get, .userinfo), ("http://[::1]@a/", .get, .userinfo),
      ("http://a%40b/", .get, .invalidHost), ("http://a%00b/", .get, .invalidHost), ("http://a\\@b/", .get, .userinfo),
      ("http://a\\b/", .get, .invalidHost), ("http://a#@b/", .get, .fragment), ("http://a/#b", .get, .fragment),
      ("/a#b", .get, .fragment), ("/a?b#c", .get, .fragment), ("/#", .get, .fragment),
      ("http://a:0/", .get, .invalidPort), ("http://a:65536/", .get, .invalidPort),
      ("http://a:65616/", .get, .invalidPort),
      ("http://a:4294967376/", .get, .invalidPort), ("http://a:-80/", .get, .invalidPort),
      ("http://a:+80/", .get, .invalidPort), ("http://a:8x/", .get, .invalidPort),
      ("http://a:80:80/", .get, .invalidPort),
      ("http://a:000080/", .get, .invalidPort), ("/%", .get, .invalidPercentEncoding),
      ("/%4", .get, .invalidPercentEncoding),
      ("/%zz", .get, .invalidPercentEncoding), ("/%4g", .get, .invalidPercentEncoding),
      ("/%%41", .get, .invalidPercentEncoding), ("/a%00b", .get, .invalidPercentEncoding),
      ("/%4?a", .get, .invalidPercentEncoding), ("/a\\..\\b", .get, .invalidPathByte),
      ("/a\"b", .get, .invalidPathByte),
      ("/<a>", .get, .invalidPathByte), ("/\u{00}", .get, .invalidPathByte), ("/\u{7f}", .get, .invalidPathByte),
      ("/\u{e9}", .get, .invalidPathByte), ("/ ", .get, .invalidPathByte), ("/?\u{e9}", .get, .invalidTargetByte),
      ("/? ", .get, .invalidTargetByte), ("/?\r\nX", .get, .invalidTargetByte), ("http://a\u{e9}/", .get, .invalidHost),
      ("http://a b/", .get, .invalidHost), ("a.example", .connect, .missingPort),
      ("a.example:", .connect, .missingPort),
      ("a.example:0", .connect, .invalidPort), ("/", .connect, .invalidConnectTarget),
      ("http://a:80/", .connect, .invalidConnectTarget), ("a:443#x", .connect, .invalidConnectTarget),
      ("*", .connect, .invalidHost), ("u@a:443", .connect, .userinfo), ("a:443/", .connect, .invalidConnectTarget),
      ("[::1]", .connect, .missingPort),
    ] as [(String, Method, WireError)])
  func refused(target: String, method: Method, error: WireError) {
    #expect(parseTarget(target, method: method) == .refused(error))
  }
}
