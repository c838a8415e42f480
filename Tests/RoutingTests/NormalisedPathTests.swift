import Configuration
import HTTPWire
import Routing
import SeededRandom
import Testing

@Suite("Paths whose raw bytes are encoded") struct NormalisedPathTests {
  private static let table = RouteTable(
    [
      ("all", ""), ("a", "/a"), ("ab", "/a/b"), ("cafe", "/caf%C3%A9"), ("braces", "/%7Bx%7D"), ("quote", "/a%22b"),
    ].map { name, path in
      Route(
        name: name, matches: [Match(host: "api.test", path: path)], mount: nil,
        upstream: Origin(scheme: .https, host: "upstream.test"), upstreamBasePath: "")
    })

  private func find(_ path: [UInt8]) -> String {
    let host = Array("api.test".utf8)
    switch Self.table.route(host: host.span, port: 80, path: path.span) {
    case .route(let route, let length): return "route \(route) \(length)"
    case .leaves(let route): return "leaves \(route)"
    case .ambiguous: return "ambiguous"
    case .nothing: return "nothing"
    }
  }

  @Test("a path leads to the same route as its encoded form, or one of them is refused")
  func sameRoute() throws {
    var random = SplitMix(state: 17)
    let pieces =
      [
        "/", "a", "b", "/a", "/b", "{x}", "caf\u{e9}", "\"", "|", "^", "%41", "%2f", "..", "/../", ".", ";", "%22",
        "%7Bx%7D",
      ]
      .map { Array($0.utf8) } + [[0xc0, 0xaf], [0xe9], [0xef, 0xbc, 0x8f]]
    var (same, served) = (0, 0)
    for _ in 0..<20_000 {
      var path = Array("/".utf8)
      for _ in 0..<random.next() % 7 { path += pieces[Int(random.next() % UInt64(pieces.count))] }
      let corrected = try #require(try NormalisedTarget(path.span))
      guard !corrected.changes.isEmpty else { continue }
      let (raw, encoded) = (find(path), find(corrected.bytes))
      // They are spelled differently, so that a prefix with an encoding may cover one and be a reading of the other.
      let areRoutes = raw.hasPrefix("route") && encoded.hasPrefix("route")
      #expect(raw == encoded || !areRoutes, "\(String(decoding: path, as: UTF8.self)): \(raw), \(encoded)")
      if raw == encoded { same += 1 }
      if areRoutes { served += 1 }
    }
    #expect(same > 2_000)
    #expect(served > 1_000)
  }
}
