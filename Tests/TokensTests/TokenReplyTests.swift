import Testing
import Tokens

@Suite("How a token endpoint's reply is read")
struct TokenReplyTests {
  private static func outcome(of responses: TokenHTTPResponse...) async -> Result<AccessToken, TokenFailure>? {
    let workshop = Workshop()
    for response in responses { workshop.endpoint.replies(response) }
    return await workshop.obtain()
  }

  @Test("a token becomes a complete Authorization line")
  func line() async throws {
    let token = try #require(await Self.outcome(of: .token("abc.DEF-_~+/=="))?.success)
    #expect(token.text == "abc.DEF-_~+/==")
    #expect(token.lifetime == .seconds(3600))
  }

  @Test(
    "what servers write differently, but mean the same, is accepted",
    arguments: [
      #"{"access_token":"opaque-token","token_type":"bearer","expires_in":3600}"#,
      #"{"access_token":"opaque-token","token_type":"BEARER","expires_in":"3600"}"#,
      #"{"access_token":"opaque-token","token_type":"","expires_in":3600}"#,
      #"{"access_token":"opaque-token","token_type":"Bearer ","expires_in":3600}"#,
      #"{"access_token":"opaque-token","token_type":"BearerToken","expires_in":3600}"#,
      #"{"access_token":"opaque-token","expires_in":3600.0}"#,
      #"{"access_token":"opaque-token","token_type":null,"expires_in":3.6e3}"#,
      "\r\n\t {\"expires_in\" : 3600 , \"x\":[{\"access_token\":\"no\"},-0.5e-3,true], \"access_token\":\"opaque-token\"}\n",
      #"{"access_token":"opaque-token","token_type":"Bear\u0065r","expires_in":3600}"#,
      #"{"access_token":"opaque\u002dtoken","expires_in":3600,"scope":"ü\ud83d\ude00"}"#,
      #"{"error":null,"access_token":"opaque-token","expires_in":3600}"#,
    ])
  func accepts(body: String) async throws {
    let token = try #require(await Self.outcome(of: .json(body))?.success)
    #expect(token.text == "opaque-token")
    #expect(token.lifetime == .seconds(3600))
  }

  @Test("a token of another type is accepted if proxy.conf says how to send it")
  func writtenScheme() async throws {
    let workshop = Workshop(grant: .example(takesAnyTokenType: true))
    workshop.endpoint.replies(.json(#"{"access_token":"abc","token_type":"DPoP"}"#))
    #expect(await workshop.obtain()?.success?.text == "abc")
  }

  @Test("escaped slashes in a token are undone")
  func escapedSlash() async throws {
    let token = try #require(await Self.outcome(of: .json(#"{"access_token":"a\/b+c=="}"#))?.success)
    #expect(token.text == "a/b+c==")
  }

  @Test(
    "what is no token is said to be none, and answered with 502",
    arguments: [
      ("", .empty), ("  ", .notJSON), (#"{"access_token":"abc","token_ty"#, .notJSON), ("<html>no</html>", .html),
      ("access_token=abc", .notJSON), (#"{"access_token":"abc"} {}"#, .notJSON), (#"["access_token"]"#, .notAnObject),
      (#""abc""#, .notAnObject), ("null", .notAnObject), ("{}", .noToken), (#"{"access_token":""}"#, .noToken),
      (#"{"access_token":17}"#, .noToken), (#"{"access_token":null}"#, .noToken),
      (#"{"access_token":["abc"]}"#, .noToken), (#"{"access_token":"abc","access_token":"def"}"#, .repeatedMember),
      (#"{"access_token":"abc","expires_in":1,"expires\u005fin":3600}"#, .repeatedMember),
      (#"{"access_token":"abc","token_type":"MAC"}"#, .unsupportedTokenType),
      (#"{"access_token":"abc","token_type":"DPoP"}"#, .unsupportedTokenType),
      (#"{"access_token":"abc","token_type":1}"#, .unsupportedTokenType),
      (#"{"access_token":"a b"}"#, .unsuitableToken), (#"{"access_token":"a\r\nX: y"}"#, .unsuitableToken),
      (#"{"access_token":"a\u0000"}"#, .unsuitableToken), (#"{"access_token":"tökén"}"#, .unsuitableToken),
      (#"{"access_token":"a\u00e9"}"#, .unsuitableToken), (#"{"access_token":"a\ud800"}"#, .unsuitableToken),
      (#"{"access_token":"a\u007f"}"#, .unsuitableToken), ("{\"access_token\":\"a\nb\"}", .notJSON),
      (#"{"access_token":"\#(String(repeating: "a", count: 32_769))"}"#, .tokenTooLong),
      (#"{"access_token":"abc","x":\#(String(repeating: "[", count: 60_000))"#, .notJSON),
    ] as [(String, MalformedReply)])
  func refuses(body: String, reason: MalformedReply) async throws {
    let failure = try #require(await Self.outcome(of: .json(body), .json(body))?.failure)
    #expect(failure.cause == .malformed(reason))
  }

  @Test("a token of the greatest length is accepted")
  func longestToken() async throws {
    let longest = String(repeating: "a", count: AccessToken.longestToken)
    let token = try #require(await Self.outcome(of: .token(longest))?.success)
    #expect(token.text == "\(longest)")
  }

  @Test("a body that was cut is refused, even when what is left is complete")
  func cutBody() async throws {
    let failure = try #require(await Self.outcome(of: .json(#"{"access_token":"abc"}"#, bodyWasCut: true))?.failure)
    #expect(failure.cause == .malformed(.tooLong))
  }

  @Test("a page is recognised by its content type too")
  func pageByContentType() async throws {
    let page = TokenHTTPResponse(status: 200, contentType: "Text/HTML; charset=utf-8", body: Array("Sorry".utf8))
    let failure = try #require(await Self.outcome(of: page, page)?.failure)
    #expect(failure.cause == .malformed(.html))
  }

  @Test("every status that means success brings a token, if there is one", arguments: [200, 201, 202, 203, 206, 299])
  func otherSuccess(status: Int) async throws {
    #expect(await Self.outcome(of: .json(#"{"access_token":"abc"}"#, status: status))?.success != nil)
    let empty = TokenHTTPResponse(status: status, contentType: "application/json", body: [])
    #expect(await Self.outcome(of: empty, empty)?.failure?.cause == .malformed(.empty))
  }

  @Test("an interim status is no token", arguments: [101, 199])
  func interim(status: Int) async throws {
    let failure = try #require(await Self.outcome(of: .json(#"{"access_token":"abc"}"#, status: status))?.failure)
    #expect(failure.cause == .malformed(.unexpectedStatus(status)))
  }

  @Test("a redirect is reported, whatever its body", arguments: [301, 302, 303, 307, 308])
  func redirect(status: Int) async throws {
    let failure = try #require(await Self.outcome(of: .json(#"{"access_token":"abc"}"#, status: status))?.failure)
    #expect(failure.cause == .redirected(status: status))
    #expect(failure.detail.contains("\(status), which the proxy does not follow"))
  }

  @Test("5xx is the server's failure", arguments: [500, 502, 503, 504, 599])
  func serverError(status: Int) async throws {
    let reply = TokenHTTPResponse.json("{}", status: status)
    let failure = try #require(await Self.outcome(of: reply, reply)?.failure)
    #expect(failure.cause == .serverError(status: status))
  }
}
