import Secrets
import Testing

@testable import Tokens

@Suite("Tokens go to the process that takes the place of this one") struct TokenHandOverTests {
  private let clock = ManualClock()

  private func sources(handedOver: Secret? = nil) -> TokenSources {
    TokenSources(
      environment: TokenEnvironment(
        clock: clock.clock, transport: { _ in .failure(.unreachable(detail: "")) }, launch: { _ in },
        schedule: { _, _ in }, onEvent: { _ in }),
      handedOver: handedOver)
  }

  private func stored(_ token: String, age: Int64 = 0, lifetime: Duration = .seconds(3600)) -> StoredToken {
    StoredToken(token: Secret(token), requestedAt: clock.clock.wallSeconds - age, lifetime: lifetime)
  }

  private func handOver(_ tokens: (TokenGrant, StoredToken)...) throws -> Secret? {
    var handOver = TokenHandOver()
    for (grant, token) in tokens { handOver.add(token, try grant.key.identity()) }
    return handOver.bytes
  }

  @Test("and are used there without a fetch, each for its request") func used() throws {
    let (one, two) = (TokenGrant.example(), TokenGrant.example(audience: "https://two.example.com"))
    let sources = sources(handedOver: try handOver((one, stored("first")), (two, stored("second"))))
    #expect(sources.source(for: two).current()?.token == Secret("second"))
    #expect(sources.source(for: one).current()?.token == Secret("first"))
    #expect(sources.source(for: .example(scopes: ["other"])).current() == nil)
  }

  @Test("and from there to the next") func again() throws {
    let grant = TokenGrant.example()
    let first = sources(handedOver: try handOver((grant, stored("token", age: 60))))
    _ = first.source(for: grant)
    let second = sources(handedOver: first.handOver())
    let token = try #require(second.source(for: grant).current())
    #expect(token.token == Secret("token"))
    #expect(token.lifetime == .seconds(3600))
  }

  @Test("but not those that are over, nor what is no token") func unfit() throws {
    let grant = TokenGrant.example()
    for token in [stored("old", age: 3600), stored("odd\n"), stored("future", age: -600)] {
      #expect(sources(handedOver: try handOver((grant, token))).source(for: grant).current() == nil)
    }
    #expect(sources().handOver() == nil)
  }

  @Test("and one that the API refused stays behind") func refused() throws {
    let grant = TokenGrant.example()
    let sources = sources(handedOver: try handOver((grant, stored("token"))))
    let source = sources.source(for: grant)
    let token = try #require(source.current())
    _ = source.refused(token, at: .example)
    #expect(sources.handOver() == nil)
  }

  @Test("Bytes that end early give what is whole") func truncated() throws {
    let grant = TokenGrant.example()
    let bytes = try #require(try handOver((grant, stored("first")), (.example(audience: "two"), stored("second"))))
    bytes.withBytes { bytes in
      for count in 0..<bytes.count { _ = TokenHandOver(Secret(bytes.extracting(first: count))) }
      var cut = TokenHandOver(Secret(bytes.extracting(first: bytes.count - 1)))
      #expect(cut.take((try? grant.key.identity()) ?? [])?.token == Secret("first"))
    }
  }
}
