import HTTPService
import Testing

@testable import Sandbox

@Suite("The token endpoint")
struct TokenEndpointTests {
  @Test("responds to a valid request with a token that has the claims of Kinde's")
  func grant() throws {
    let fixture = try Fixture()
    let answer = fixture.tokenAnswer()
    #expect(answer.status == 200)
    #expect(answer.value(of: "Cache-Control") == "no-store")
    let object = try answer.object
    #expect(object["token_type"] as? String == "Bearer")
    #expect(object["expires_in"] as? Int == 3600)
    let claims = try fixture.mint.check(object["access_token"] as! String, now: Fixture.now)
    #expect(claims.aud == ["api.sandbox"])
    #expect(claims.azp == "shop")
    #expect(claims.iat == Fixture.now)
    #expect(claims.exp == Fixture.now + 3600)
    #expect(claims.iss == Fixture.issuer)
    #expect(claims.gty == ["client_credentials"])
    #expect(claims.scope == "read:orders")
    #expect(claims.scp == ["read:orders"])
    #expect(claims.organization == nil)
    #expect(fixture.journal.counters == Journal.Counters(tokensIssued: 1))
  }

  @Test("takes the client's credentials from the Authorization field too, each of them form-encoded")
  func basic() throws {
    // shop:s3cr%3At%2B%25
    let fields = [
      ServiceField("Content-Type", "Application/x-www-form-urlencoded; charset=utf-8"),
      ServiceField("Authorization", "bAsic c2hvcDpzM2NyJTNBdCUyQiUyNQ=="),
    ]
    let answer = try Fixture().tokenAnswer(["client_id": nil, "client_secret": nil], fields: fields)
    #expect(answer.status == 200)
  }

  @Test("no two tokens are the same")
  func unique() throws {
    let fixture = try Fixture()
    #expect(try fixture.token() != fixture.token())
  }

  @Test("without scope, the token has all that are assigned to the application, as at Kinde")
  func noScope() throws {
    let fixture = try Fixture()
    let claims = try fixture.mint.check(fixture.token(scopes: nil), now: Fixture.now)
    #expect(claims.scope == "read:orders")
    #expect(claims.scp.isEmpty)
  }

  @Test("the management API's audience is the issuer's /api")
  func management() throws {
    let fixture = try Fixture()
    let token = try fixture.token(scopes: "read:organizations", audience: Fixture.issuer + "/api")
    let request = ServiceRequest(
      method: "GET", path: "/api/v1/organizations", fields: [ServiceField("Authorization", "Bearer \(token)")])
    #expect(fixture.server.answer(request, now: Fixture.now).status == 200)
    #expect(fixture.api.answer(request, now: Fixture.now).status == 200)
  }

  @Test(
    "refuses with the error that names the step which is missing",
    arguments: [
      (["client_id": "other"], 401, "invalid_client"), (["client_secret": "wrong"], 401, "invalid_client"),
      (["client_secret": nil], 401, "invalid_client"), (["client_id": nil], 401, "invalid_client"),
      (["audience": "reports.sandbox"], 400, "unauthorized_client"),
      (["audience": "elsewhere"], 400, "unauthorized_client"), (["audience": nil], 400, "invalid_request"),
      (["scope": "read:nothing"], 400, "invalid_scope"),
      (["scope": "read:orders write:orders"], 400, "invalid_scope"), (["grant_type": nil], 400, "invalid_request"),
      (["grant_type": "password"], 400, "invalid_request"),
    ] as [([String: String?], Int, String)])
  func refusals(parameters: [String: String?], status: Int, error: String) throws {
    let fixture = try Fixture()
    let answer = fixture.tokenAnswer(parameters)
    #expect(answer.status == status)
    #expect(try answer.object["error"] as? String == error)
    #expect(try !(answer.object["error_description"] as! String).isEmpty)
    #expect(fixture.journal.counters == Journal.Counters(tokensRefused: 1))
  }

  @Test("challenges a client that used the Authorization field, and no other")
  func challenge() throws {
    let fields = [
      ServiceField("Content-Type", "application/x-www-form-urlencoded"), ServiceField("Authorization", "Basic !"),
    ]
    let fixture = try Fixture()
    let answer = fixture.tokenAnswer(["client_id": nil, "client_secret": nil], fields: fields)
    #expect(answer.status == 401)
    #expect(answer.value(of: "WWW-Authenticate")?.hasPrefix("Basic realm=") == true)
    #expect(fixture.tokenAnswer(["client_secret": "wrong"]).value(of: "WWW-Authenticate") == nil)
  }

  @Test(
    "refuses bodies that are no form, or not one of a token request",
    arguments: ["grant_type=%zz", "audience=a&audience=b", "a=%ff", "%", ""])
  func malformed(body: String) throws {
    let answer = try Fixture().post(body)
    #expect(answer.status == 400)
    #expect(try answer.object["error"] as? String == "invalid_request")
  }

  @Test("refuses another content type", arguments: ["application/json", "text/plain", nil])
  func contentType(type: String?) throws {
    let answer = try Fixture().tokenAnswer(fields: type.map { [ServiceField("Content-Type", $0)] } ?? [])
    #expect(answer.status == 400)
    #expect(try answer.object["error"] as? String == "invalid_request")
  }

  @Test("takes no other method than POST")
  func method() throws {
    let request = ServiceRequest(method: "GET", path: "/oauth2/token", query: "grant_type=client_credentials")
    let answer = try Fixture().server.answer(request, now: Fixture.now)
    #expect(answer.status == 405)
    #expect(answer.value(of: "Allow") == "POST")
  }

  @Test(
    "fails as it is told to, whatever is asked",
    arguments: zip(ForcedFailure.allCases, [401, 400, 400, 400, 429, 500]))
  func forced(failure: ForcedFailure, status: Int) throws {
    let answer = try Fixture(failure: failure).tokenAnswer()
    #expect(answer.status == status)
    #expect((answer.value(of: "RateLimit-Reset") != nil) == (failure == .rateLimited))
    #expect(answer.value(of: "Retry-After") == nil)
    if status < 429 { #expect(try answer.object["error"] as? String == failure.rawValue) }
  }
}
