import Testing
import Tokens

@Suite("Which routes share a source")
struct TokenSourcesTests {
  private let sources = TokenSources(
    environment: TokenEnvironment(
      transport: { _ in .failure(.unreachable(detail: "")) }, launch: { _ in }, schedule: { _, _ in }, onEvent: { _ in }
    ))

  @Test("grants that send the same share one, whatever their credentials are called")
  func shared() {
    let source = sources.source(for: .example(scopes: ["a", "b"], credentials: "one"))
    #expect(sources.source(for: .example(scopes: ["b", "a"], credentials: "two")) === source)
  }

  @Test(
    "grants that send anything else do not",
    arguments: [
      TokenGrant.example(audience: "https://other.example.com"), .example(scopes: ["write:orders"]),
      .example(secret: "another"),
    ])
  func notShared(grant: TokenGrant) {
    let source = sources.source(for: .example())
    let other = sources.source(for: grant)
    #expect(other !== source)
    #expect(sources.source(for: grant) === other)
    #expect(sources.source(for: .example()) === source)
  }
}
