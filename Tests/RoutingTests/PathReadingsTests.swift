import FuzzTargets
import SeededRandom
import Testing

@testable import Routing

@Suite("The readings of a path")
struct PathReadingsTests {
  /// What becomes of `path` where routes have these prefixes: "" where every reading has the route of the path as it was
  /// sent, else the reading that has not.
  private func conflict(_ path: String, _ prefixes: [String], ignoresCase: Bool = false) -> String {
    let path = Array(path.utf8)
    let all = prefixes.map { PathPrefix($0) }
    let sent = all.indices.filter { all[$0].covers(path.span) }.max { all[$0].length < all[$1].length }
    let tree = PathTree(all.enumerated().map { ($1, $0) }, ignoresCase: ignoresCase)
    let prefix = sent.map { all[$0] }
    let question = PathReadings.Question(
      prefix: prefix, isConfined: prefix.map { $0.length > 0 } ?? false, expected: sent)
    switch PathReadings.compare(path.span, in: tree, question, outcome: { $0 }) {
    case .same: return ""
    case .leaves(let reading): return "out: \(reading)"
    case .differs(let other, let reading): return "\(other.map { prefixes[$0] } ?? "nothing"): \(reading)"
    case .tooMany: return "too many"
    }
  }

  static let disguises: [String] = [
    // One decoding, of letters, dots and slashes.
    "/%61dmin", "/a%64min/x", "/%2fadmin", "/%2Fadmin", "/%2e/admin", "/x/%2e%2e/admin", "/x%2f..%2fadmin", "/admin%2f",
    "/admin%2fx", "/x/..%2fadmin",
    // Two.
    "/%2561dmin", "/%252fadmin", "/x/%252e%252e/admin", "/%25%36%31dmin",
    "/x%252f..%252fadmin", "/%25u0061dmin",
    // Slashes and dot segments.
    "//admin", "///admin", "/./admin", "/.//./admin", "/x/../admin", "/x/y/../../admin", "/../admin",
    "/admin/../admin/../x",
    "/x//../admin", "/x/./../admin",
    // Backslashes.
    "/%5cadmin", "/x%5c..%5cadmin", "/x/..%5cadmin", "/%255cadmin", "/admin%5cx",
    // Parameters.
    "/admin;v=1", "/admin;v=1/x", "/;v/admin", "/x/..;v=1/admin", "/admin%3bv", "/x;/../admin", "/.;x/admin",
    // UTF-8 that is none.
    "/%c0%afadmin", "/x/%c0%ae%c0%ae/admin", "/%e0%80%afadmin", "/%f0%80%80%afadmin", "/%c1%a1dmin", "/adm%ffin",
    "/%c0admin", "/x%c1%9c..%c1%9cadmin", "/%c0%2fadmin", "/%25c0%25afadmin", "/%ef%bc%8fadmin", "/%ef%bd%81dmin",
    "/%ed%a0%80admin", "/%e0%81%21dmin", "/%e0%81%e1dmin", "/%e0%01%21dmin", "/x/%e0%80%6e%e0%80%6e/admin",
    "/x/..%e0%80%6fadmin", "/x/..%e0%40%afadmin", "/%f0%80%81%21dmin", "/x/..%f0%80%80%6fadmin",
    // Ends.
    "/admin%01x", "/admin%0a", "/admin%3fx=/", "/admin%23x", "/admin%253fx", "/admin%7f", "/adm%0ain", "/adm%09in",
    // Spaces, tabs and dots at the end of names, as on Windows.
    "/admin%20", "/admin%09", "/admin.", "/admin...%20/x", "/x/..%20/admin", "/x/.../admin", "/x/..%09/admin",
    "/.%20/admin", "/admin%01x", "/admin%1f/x",
    // And at their beginning, where Java takes them off.
    "/%20admin", "/%09admin/x", "/%20%20admin", "/x/%20../admin", "/%2520admin",
    // White space of Unicode there.
    "/admin%c2%a0", "/admin%c2%85", "/admin%e3%80%80", "/admin%e2%80%a8/x", "/%c2%a0admin", "/x/..%c2%a0/admin",
    "/%ef%bb%bfadmin", "/admin%e2%80%8a", "/x/%e1%9a%80../admin", "/%25c2%25a0admin",
    // Streams of NTFS.
    "/admin::$DATA", "/admin::$INDEX_ALLOCATION/x", "/admin:$i30:$INDEX_ALLOCATION/x", "/%61dmin:%3a$DATA",
    // Tickets of ASP.NET.
    "/(S(x))/admin", "/ad(S(x))min", "/(X(1)S(x))/admin/x", "/ad(S(x))/min", "/(S(a))/(F(b))/admin", "/%28S(x))/admin",
    "/x/.(S(x))./admin", "/admin(S(x))/y",
    // What looks like a host.
    "//evil/admin", "//evil:80/admin", "//user@evil/admin", "//[::1]/admin", "//%68/admin", "/%5c/admin",
    "///evil/admin",
    "////evil//admin", "/%2fevil/admin", "/%5c%5cevil/admin", "//evil%2fadmin", "//evil%5cadmin", "/.//evil/admin",
    "/x/..//evil/admin",
    // A host behind something that is left out, and two of them.
    "/;/host/admin", "/;x/host/admin", "/.;/host/admin", "/%3b/host/admin", "/::$DATA/host/admin", "/x/../;/host/admin",
    "/(S(x))/host/admin", "/ad/(S(X))min", "/(S(X))/ad/(S(X))min/x", "//x;%2f../h//admin",
    // A plus sign that is a space at the edge of a name.
    "/admin+", "/+admin", "/x/..+/admin",
    // Several at once.
    "/x;y/%2e%2e%5c%2561dmin%20;z", "//x/..%c0%af.%2fadmin.%23",
  ]

  @Test("a path that some server reads as one of a stricter route is refused", arguments: disguises)
  func disguised(_ path: String) {
    let found = conflict(path, ["", "/admin"])
    #expect(found.hasPrefix("/admin: /admin") || path == "/admin/../admin/../x", "\(path): \(found)")
    #expect(!found.isEmpty, "\(path)")
    #expect(!conflict(path, ["", "/admin/", "/admin"]).isEmpty, "\(path)")
    #expect(!conflict("/v1" + path, ["/v1", "/v1/admin"]).isEmpty, "\(path)")
  }

  static let ordinary: [String] = [
    "/", "/orders", "/orders/", "/orders/7", "/orders/a%2Fb", "/orders/a%20b", "/orders/caf%C3%A9", "/orders;v=1/x",
    "/orders/x;v=1;w=2", "/orders/a..b", "/orders/..a", "/orders/a..", "/orders/.well-known",
    "/orders/%E6%97%A5%E6%9C%AC",
    "/orders/%F0%9F%92%B6", "/orders/100%25", "/orders/a%25b", "/orders/mail%40example.test", "/orders/a+b",
    "/orders/a:b",
    "/orders/file.tar.gz", "/orders/a%3Fb", "/orders/a%23b", "/orders/x/../y", "/orders/x/./y", "/orders/x//y",
    "/administer",
    "/orders/admin", "/orders/%61dmin", "/orders/a%5Cb", "/orders/https%3A%2F%2Fexample.test%2Fadmin", "/xadmin",
    "/adm",
    "/orders/%E4pfel", "/orders(5)", "/admin(5)", "/admin('a;b')", "/admin:batch", "/a+b", "/x:$y/admin",
    "/f(g(x))", "/admin(x(y)z)", "/admin(S(x)", "/orders/::$DATA", "/orders/(S(x))/y", "/orders/(x)/[y]/{z}|^`",
    "/orders/a%C2%A0b", "/orders/%E3%80%80", "/orders/%E0bc", "/ADMIN", "/orders/a%0Ab", "/orders/%20",
    "/orders/%61dmin/../x",
  ]

  @Test("a path that leads to one route in every reading is served", arguments: ordinary)
  func served(_ path: String) {
    #expect(conflict(path, ["", "/admin"]) == "")
    #expect(conflict(path, [""]) == "")
    #expect(conflict("/v1" + path, ["/v1", "/v1/admin", "/v2"]) == "")
  }

  @Test(
    "only a slash as such adds depth, and nothing leads out of the prefix of a route",
    arguments: [
      "/public/../admin", "/public/..", "/public/a%252fb/../../admin", "/public/a%5cb/../../admin",
      "/public/a%2fb/../../x",
      "/public/a;b/../../x", "/public//../x", "/public/./../x", "/public/%2e%2e/x", "/public/..;/x", "/public/..%20/x",
      "/public/.../x", "/public/a/%2e%2e%2f../x", "/public/%c0%ae%c0%ae/x", "/public/..%01/x", "/public/a%01/../../x",
      "/public/..%23",
    ])
  func confined(_ path: String) {
    #expect(conflict(path, ["/public/"]).hasPrefix("out: /"), "\(path)")
    #expect(conflict(path, ["/public"]).hasPrefix("out: /"), "\(path)")
    #expect(!conflict(path, ["", "/public"]).isEmpty)
  }

  @Test("dot segments that stay below the prefix are served, however deep", arguments: 1...200)
  func inside(depth: Int) {
    let down = String(repeating: "/a%2Fb", count: depth)
    let up = String(repeating: "/..", count: depth)
    #expect(conflict("/public/x" + down + up, ["/public/"]) == "")
    #expect(conflict("/public" + down + up + "/..", ["/public/"]).hasPrefix("out: "))
  }

  @Test(
    "a reading that was deeper than another leads up as often as it went down",
    arguments: [
      "/d/x%2fy/../../admin", "/d/x%5cy/../../admin", "/d/x%2fy%2fz/../../../admin", "/d/x%2fy/%2e%2e/../admin",
      "/d/x//../../admin", "/d/x%2f/../../admin", "/d/x%2fy/z%2fw/../../../../admin", "/x%2fy/../../d/admin",
    ])
  func deeper(_ path: String) {
    #expect(conflict(path, ["", "/d/admin"]).hasPrefix("/d/admin: "), "\(path)")
    #expect(conflict(path, ["", "/d", "/d/admin"]) != "", "\(path)")
  }

  @Test(
    "an escape that comes about only when something is decoded or left out is not looked into",
    arguments: [
      "/%25%0a61dmin", "/x/.%25%0a2e/admin", "/x/.%25%092e/admin", "/%25%ff61dmin", "/%c0%a561dmin",
      "/x/%c0%a52e%c0%a52e/admin", "/%ef%bc%8561dmin", "/%256%0a1dmin", "/%25%ef%bc%961dmin",
    ])
  func hiddenEscapes(_ path: String) {
    #expect(conflict(path, ["", "/admin"]) == "too many")
    #expect(conflict("/base" + path, ["/base", "/base/x"]) == "too many")
  }

  @Test("a percent sign and other characters without such an escape are served")
  func harmlessPercentSigns() {
    for path in ["/100%25%0A", "/a%25%E4%BD%A0", "/%25%0d%0azz", "/%EF%BC%85", "/%e9%25", "/%E4%BD%A0%25zz"] {
      #expect(conflict(path, ["", "/admin"]) == "", "\(path)")
    }
  }

  @Test("a prefix has the readings of its own encodings")
  func readingsOfPrefixes() {
    // Decoded after the path is split, %2F leads no deeper.
    for path in ["/projects/g%2Fa/../a/x", "/projects/g%2Fa/x/../../b/x", "/projects/g%2Fa/.."] {
      #expect(conflict(path, ["/projects/g%2Fa"]).hasPrefix("out: "), "\(path)")
      #expect(conflict(path, ["/projects/g%2Fa", "/projects/g%2Fb"]).hasPrefix("out: "), "\(path)")
    }
    #expect(conflict("/projects/g%2Fa/x", ["/projects/g%2Fa", "/projects/g%2Fb"]) == "")
    for path in ["/u@x", "/u%40x/y", "/%75@x"] {
      #expect(conflict(path, ["", "/u%40x"]) == (path == "/u%40x/y" ? "" : "/u%40x: /u@x"))
    }
    for path in ["/a/b/x", "/a%2fb", "/a%5cb"] { #expect(conflict(path, ["", "/a%2Fb"]) != "", "\(path)") }
    // The vhost of RabbitMQ that is a slash is not all of them.
    for path in ["/api/queues/vh/q%20x", "/api/queues/vh%20x/q", "/api/queues/%2F/q%20x"] {
      #expect(conflict(path, ["/api/queues", "/api/queues/%2F"]) == "", "\(path)")
    }
    func concerns(_ prefix: String) -> Bool { PathTree([(PathPrefix(prefix), 0)]).concernsPlainPaths }
    #expect(concerns("/u%40x") && concerns("/a+b") && !concerns("/admin/x-1.2_y~z") && !concerns(""))
  }

  @Test("where case is ignored, letters beyond ASCII are what some runtimes take them for")
  func foldedLetters() {
    for path in ["/adm%c4%b1n/x", "/ADM%C4%B0N/", "/adm%C4%B0n", "/%41DM%c4%b1N"] {
      #expect(conflict(path, ["", "/admin"], ignoresCase: true).hasPrefix("/admin: "), "\(path)")
      #expect(conflict(path, ["", "/admin"]) == "", "\(path)")
    }
    #expect(conflict("/ta%c5%bfks", ["", "/tasks"], ignoresCase: true) != "")
    #expect(conflict("/%e2%84%aaeys", ["", "/keys"], ignoresCase: true) != "")
    #expect(conflict("/caf%C3%89", ["", "/caf%C3%A9"], ignoresCase: true) != "")
    #expect(conflict("/%D0%9C%D0%B8%D1%80/x", ["", "/%D0%BC%D0%B8%D1%80"], ignoresCase: true) != "")
    #expect(conflict("/%E6%97%A5%E6%9C%AC", ["", "/%E4%B8%AD%E5%9B%BD"], ignoresCase: true) == "")
    // Of two that differ in case alone neither has a path to itself.
    #expect(conflict("/admin", ["/Admin", "/admin"], ignoresCase: true) != "")
  }

  @Test("where a prefix has a space, a plus sign also matches it")
  func plus() {
    #expect(conflict("/a%20b/x", ["", "/a+b"]) != "")
    #expect(conflict("/a+b/x", ["", "/a%20b"]) == "/a%20b: /a%20b/x")
    #expect(conflict("/a%2Bb/x", ["", "/a%20b"]) != "")
    #expect(conflict("/a+b/x", ["", "/ab"]) == "")
  }

  @Test("case counts unless the upstream ignores it")
  func caseOfLetters() {
    for path in ["/ADMIN", "/Admin/x", "/x/../aDmin", "/%41DMIN"] {
      #expect(conflict(path, ["", "/admin"]) == "")
      #expect(conflict(path, ["", "/admin"], ignoresCase: true).hasPrefix("/admin: "), "\(path)")
    }
    #expect(conflict("/admin", ["", "/ADMIN"], ignoresCase: true) == "/ADMIN: /admin")
    #expect(conflict("/orders/ADMIN", ["", "/admin"], ignoresCase: true) == "")
    // Two routes that differ in case alone cannot be told apart.
    #expect(!conflict("/admin/x", ["/Admin", "/admin"], ignoresCase: true).isEmpty)
  }

  @Test("prefixes with percent-encodings are served as they are written, and guarded however they are written")
  func encodedPrefixes() {
    let prefixes = ["", "/caf%C3%A9", "/a%2Fb"]
    #expect(conflict("/caf%C3%A9/menu", prefixes) == "")
    #expect(conflict("/a%2Fb/x", prefixes) == "")
    for path in ["/caf%c3%a9", "/caf%25C3%25A9/x", "/a/b/x", "/a%2fb", "/a//b"] {
      #expect(!conflict(path, prefixes).isEmpty, "\(path)")
    }
  }

  @Test("a path without %, \\, ;, (, +, //, :$ and dots at the edge of a segment is not looked into")
  func plain() {
    func exist(_ path: String) -> Bool {
      let path = Array(path.utf8)
      return PathReadings.exist(of: path.span)
    }
    for path in ["/", "/a/b", "/a.b/c", "*", "", "/a-b_c~d/e!$&')*,=:@"] { #expect(!exist(path)) }
    // Wherever in a word of eight bytes they are.
    for length in 1..<40 {
      let before = "/" + String(repeating: "a", count: length)
      #expect(!exist(before) && !exist(before + "/b") && !exist(before + ".b"))
      for piece in ["%41", ";", "\\", "//", "/.", "./", "\u{80}", "(", "+", ":$"] {
        #expect(exist(before + piece) && exist(before + piece + "aaaaaaaaaaaa"), "\(before + piece)")
      }
      #expect(exist(before + "."))
    }
    for path in ["/%41", "/a;b", "//", "/a\\b", "/.a", "/a./b", "/a.", "/a/..", "/\u{e9}", "/a(b", "/a+b", "/a:$b"] {
      #expect(exist(path))
    }
  }

  @Test("work is bounded: a path with more readings than are followed is refused")
  func bounded() {
    let deep = "/" + String(repeating: "%25", count: 12) + "61dmin"
    #expect(conflict("/%" + String(repeating: "25", count: 12) + "61dmin", ["", "/admin"]) == "too many")
    #expect(conflict(deep, ["", "/admin"]) == "")
    let prefixes = [""] + (0..<200).map { "/p\($0)/q" }
    let path = (0..<200).map { "/p\($0)/.." }.joined()
    let long = conflict(path + path + path + path, prefixes)
    #expect(long == "too many" || long == "")
    #expect(conflict("/x" + String(repeating: "/%C3%A9%20a%2Fb;c=d", count: 300), ["", "/admin"]) == "")
  }

  @Test(
    "a long path that is refused costs no more than one that is served, and its text is whole",
    arguments: [0, 100, 2_000, 20_000])
  func longRefusal(count: Int) {
    let path = "/" + String(repeating: "x%2f", count: count) + String(repeating: "../", count: 3) + "..%2fadmin"
    // Up to here as many depths are possible as there are encoded slashes.
    let up = String(repeating: "/..", count: 30)
    let found = conflict("/m" + path + up, ["/m/", "/m/admin"])
    #expect(found.hasPrefix("out: ") || found.hasPrefix("/m/admin: ") || found == "too many", "\(found.prefix(80))")
    #expect(count > 1_000 || found != "too many")
  }

  @Test("no server reaches a stricter prefix through a laxer one: random paths and tables against random servers")
  func property() async throws {
    var random = SplitMix(state: 20_261_130)
    let all = ["a", "b", "admin", "public", "api"]
    let pieces = [
      "/", "/", "/", "/..", "/.", "//", "a", "b", "admin", "public", "api", "%61", "%2f", "%2F", "%5c", "%2e", "..",
      ".",
      ";x", ";", "%3b", "%252f", "%252e", "%2561", "%25", "%c0%af", "%c0%ae", "%c1%9c", "%e0%80%af", "%e0%80%6f",
      "%c2%a0", "%ff", "%c3%a9",
      "%01",
      "%09", "%20", "%23", "%3f", "x", "..%2f", "%2e%2e", "/../", "/..;/", "dmin", "...", "a%2fb/../..", "/../../",
      "/%20", "(S(x))", "(S(x))/", "/(X(1)S(x))/", "::$DATA", ":$i30:$INDEX_ALLOCATION", "(", ":", "+",
      "/..", "/../..", "/x%2fy", "/;x", "/x//", "/a/b", "/a", "/..", "/x%2fy/..",
    ]
    for round in 0..<4_000 {
      // Few names make trees deep, where going up and down again matters.
      let names = round % 2 == 0 ? all : ["a", "b"]
      var input = ""
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let depth = Int.random(in: 1...4, using: &random)
        input += (0..<depth).map { _ in "/" + names.randomElement(using: &random)! }.joined()
        input += Bool.random(using: &random) ? "/\n" : "\n"
      }
      input += "\n/"
      for _ in 0..<Int.random(in: 1...9, using: &random) { input += pieces.randomElement(using: &random)! }
      do {
        try FuzzTarget.pathReadings.check(Array(input.utf8))
      } catch {
        Issue.record("\(error), of \(input)")
      }
      // Tests that wait for the kernel need a turn meanwhile.
      await Task.yield()
    }
  }
}
