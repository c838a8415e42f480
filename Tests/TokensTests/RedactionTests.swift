import Secrets
import Testing
import Tokens

@Suite("Secrets and tokens stay out of sight")
struct RedactionTests {
  private let secret = "hunter2-hunter2"
  private let token = "eyJ-token-token"

  /// Everything that Swift shows of a value without being told how.
  private func everythingShown(of value: Any) -> String {
    var dumped = ""
    dump(value, to: &dumped)
    return "\(value) \(String(describing: value)) \(String(reflecting: value)) \(dumped)"
  }

  private func expectNothingShown(of value: Any, _ location: SourceLocation = #_sourceLocation) {
    let shown = everythingShown(of: value)
    // base64 of the credentials and percent-encoded forms would hold these too, or their encodings.
    for word in ["hunter2", "aHVudGVyMi", "h1bnRlcj", "odW50ZXIy", "eyJ-token"] {
      #expect(!shown.contains(word), "\(type(of: value)) shows it", sourceLocation: location)
    }
    // Numbers in the order in which they are shown: bytes would appear as such.
    let numbers = shown.split { !$0.isNumber }.joined(separator: ",")
    for text in [secret, token] {
      let bytes = text.utf8.map(String.init).joined(separator: ",")
      #expect(!numbers.contains(bytes), "\(type(of: value)) shows its bytes", sourceLocation: location)
    }
  }

  @Test("no description, interpolation or dump of any public type shows one")
  func nothingIsShown() async throws {
    for authentication in [ClientAuthenticationMethod.clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw] {
      let grant = TokenGrant.example(
        authentication: authentication, secret: secret, headers: ["x-key": Secret(secret)])
      expectNothingShown(of: grant)
      expectNothingShown(of: grant.key)
      expectNothingShown(of: grant.summary)
      expectNothingShown(of: try grant.request())
      expectNothingShown(of: try grant.request().fields)
      expectNothingShown(of: try grant.request().body)

      let workshop = Workshop(grant: grant)
      let response = TokenHTTPResponse.token(token)
      expectNothingShown(of: response)
      workshop.endpoint.replies(response)
      let result = try #require(await workshop.obtain())
      let accessToken = try #require(result.success)
      #expect(accessToken.text.contains(token), "the token is there, and only hidden")
      expectNothingShown(of: accessToken)
      expectNothingShown(of: result)
      expectNothingShown(of: TokenAvailability.available(accessToken))
      expectNothingShown(of: workshop.source)
      expectNothingShown(of: workshop.events.all)
    }
  }

  @Test("nor does any of them reach the log through a server's response")
  func nothingIsEchoed() async throws {
    let bodies = [
      #"{"error":"invalid_client","error_description":"\#(secret) is wrong"}"#, #"{"error":"\#(secret)"}"#,
      #"{"access_token":"\#(token) ","secret":"\#(secret)"}"#,
      #"{"access_token":"\#(token)","token_type":"\#(secret)"}"#,
      #"{"access_token":"\#(token)""#, "<html>\(token) \(secret)", #"{"access_token":"\#(token)","access_token":"x"}"#,
    ]
    for body in bodies {
      for status in [200, 302, 401, 429, 500] {
        let workshop = Workshop(grant: .example(secret: secret))
        for _ in 0..<2 { workshop.endpoint.replies(.json(body, status: status)) }
        let failure = try #require(await workshop.obtain()?.failure)
        expectNothingShown(of: failure)
        expectNothingShown(of: [failure.detail, failure.cause.label])
        expectNothingShown(of: workshop.events.all)
      }
    }
  }

  @Test("the sources of a process show nothing")
  func sources() {
    let sources = TokenSources(
      environment: TokenEnvironment(
        transport: { _ in .failure(.unreachable(detail: "")) }, launch: { _ in }, schedule: { _, _ in },
        onEvent: { _ in }))
    _ = sources.source(for: .example(secret: secret))
    expectNothingShown(of: sources)
  }
}
