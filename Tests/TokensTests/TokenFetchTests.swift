import Testing
import Tokens

@Suite("A fetch and its one retry")
struct TokenFetchTests {
  typealias Reply = ScriptedTokenEndpoint.Reply

  @Test(
    "a failure that may pass is retried once at once, and no request fails",
    arguments: [
      .failure(.unreachable(detail: "connection reset")), .failure(.nameNotResolved(detail: "try again")),
      .success(.json("", status: 503)), .success(.json("")), .success(.json("<html>")), .success(.json("{}")),
      .success(.json("", status: 500, retryAfter: "0")),
    ] as [Reply])
  func retriesOnce(first: Reply) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(first)
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.endpoint.requests.count == 2)
    #expect(workshop.events.all.map(\.attempts) == [2])
  }

  @Test("there is no third attempt")
  func noThirdAttempt() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json("", status: 500))
    workshop.endpoint.replies(.json("", status: 502))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.failure?.cause == .serverError(status: 502))
    #expect(workshop.endpoint.requests.count == 2)
  }

  @Test(
    "a deliberate answer, one that costs a token, or one that asks for a pause is not retried at once",
    arguments: [
      .success(.refusal("invalid_client", status: 401)), .success(.json("", status: 307)),
      .success(.json("", status: 429)), .success(.json("", status: 503, retryAfter: "3")),
      .success(.json(#"{"access_token":"abc","token_type":"MAC"}"#)), .success(.json(#"{"access_token":"a b"}"#)),
      .failure(.tls(detail: "self-signed certificate")), .failure(.timedOut(detail: "")),
    ] as [Reply])
  func noRetry(first: Reply) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(first)
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.failure != nil)
    #expect(workshop.endpoint.requests.count == 1)
    #expect(workshop.events.all.map(\.attempts) == [1])
  }

  @Test("both attempts share the 10 s")
  func sharedDeadline() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json("", status: 500)) { workshop.clock.advance(by: .seconds(7)) }
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.endpoint.requests.map(\.timeout) == [.seconds(10), .seconds(3)])
    #expect(workshop.events.all.map(\.took) == [.seconds(7)])
  }

  @Test("when the 10 s are used up there is no second attempt")
  func deadlineUsedUp() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json("", status: 500)) { workshop.clock.advance(by: .seconds(10)) }
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.failure?.cause == .serverError(status: 500))
    #expect(workshop.endpoint.requests.count == 1)
  }

  @Test("a transport's details are shortened and stripped of what is not printable")
  func details() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.failure(.tls(detail: "certificate\r\n\"expired\".\n")))
    let failure = try #require(await workshop.obtain()?.failure)
    #expect(failure.cause == .tls(detail: "certificate expired"))
    #expect(failure.detail == "The TLS connection to acme.kinde.com failed: certificate expired.")
  }

  @Test("a Retry-After date without a Date counts from the reply, not from the request")
  func dateOfSlowReply() async throws {
    // The clock begins at 08:00:00, and the server answers after 10 s that it wants 120 s.
    let workshop = Workshop()
    let reply = TokenHTTPResponse.json("", status: 503, retryAfter: "Fri, 15 Jan 2027 08:02:10 GMT")
    workshop.endpoint.replies(reply) { workshop.clock.advance(by: .seconds(10)) }
    #expect(await workshop.obtain()?.failure?.secondsToNextAttempt == 120)
  }
}
