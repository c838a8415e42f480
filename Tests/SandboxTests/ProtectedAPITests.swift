import Cryptography
import Encodings
import HTTPService
import Testing

@testable import Sandbox

@Suite("The API")
struct ProtectedAPITests {
  @Test("serves a token with the right audience and scope")
  func served() throws {
    let fixture = try Fixture()
    let answer = fixture.call(authorization: ["Bearer \(try fixture.token())"])
    #expect(answer.status == 200)
    #expect(try (answer.object["orders"] as! [Any]).count == 2)
    #expect(fixture.journal.counters == Journal.Counters(tokensIssued: 1, apiRequests: 1))
  }

  @Test(
    "requires a token, without an error code for a client that sent none", arguments: [[], ["Basic YTpi"], ["Bearer"]])
  func missing(authorization: [String]) throws {
    let answer = try Fixture().call(authorization: authorization)
    #expect(answer.status == 401)
    #expect(answer.value(of: "WWW-Authenticate") == #"Bearer realm="sandbox""#)
  }

  @Test("refuses a token that is not what its issuer signed")
  func forged() throws {
    let fixture = try Fixture()
    let token = try fixture.token()
    let parts = token.split(separator: ".").map(String.init)
    let other = try fixture.token(scopes: nil).split(separator: ".").map(String.init)
    let stranger = TokenMint(issuer: Fixture.issuer, key: try SigningKey(), lifetime: 3600)
    let application = Application(clientID: "shop", clientSecret: "", authorizations: [:])
    let strange = try stranger.issue(
      to: application, audience: "api.sandbox", scopes: ["read:orders"], now: Fixture.now)
    let unsigned = Base64.url.encode(Array(#"{"alg":"none","kid":"","typ":"JWT"}"#.utf8)) + "." + parts[1] + "."
    let forgeries = [
      "x", "a.b.c", token + "A", token + ".x", "\(parts[0]).\(other[1]).\(parts[2])", parts[0] + "." + parts[1],
      strange, unsigned,
    ]
    for forgery in forgeries {
      let answer = fixture.call(authorization: ["Bearer \(forgery)"])
      #expect(answer.status == 401, "\(forgery)")
      #expect(answer.value(of: "WWW-Authenticate")?.contains(#"error="invalid_token""#) == true)
    }
  }

  @Test("refuses a token from the moment it expires")
  func expired() throws {
    let fixture = try Fixture()
    let authorization = ["Bearer \(try fixture.token())"]
    #expect(fixture.call(authorization: authorization, at: Fixture.now + 3599).status == 200)
    let answer = fixture.call(authorization: authorization, at: Fixture.now + 3600)
    #expect(answer.status == 401)
    #expect(answer.value(of: "WWW-Authenticate")?.contains("expired") == true)
  }

  @Test("refuses a token for another API")
  func otherAudience() throws {
    let fixture = try Fixture()
    let token = try fixture.token(scopes: nil, audience: Fixture.issuer + "/api")
    let answer = fixture.call(authorization: ["Bearer \(token)"])
    #expect(answer.status == 401)
    #expect(answer.value(of: "WWW-Authenticate")?.contains("audience") == true)
  }

  @Test("says which scope is missing")
  func scope() throws {
    let fixture = try Fixture()
    let answer = fixture.call("POST", authorization: ["Bearer \(try fixture.token())"])
    #expect(answer.status == 403)
    #expect(answer.value(of: "WWW-Authenticate")?.hasSuffix(#"scope="write:orders""#) == true)
    #expect(fixture.journal.counters.apiRefused == 1)
  }

  @Test("refuses two Authorization fields")
  func repeated() throws {
    let fixture = try Fixture()
    let authorization = "Bearer \(try fixture.token())"
    #expect(fixture.call(authorization: [authorization, authorization]).status == 400)
  }

  @Test("knows its resources and their methods")
  func routing() throws {
    let fixture = try Fixture()
    let authorization = ["Bearer \(try fixture.token())"]
    #expect(fixture.call("GET", "/v1/orders/7", authorization: authorization).status == 200)
    #expect(fixture.call("GET", "/v1/orders/1", authorization: authorization).status == 404)
    #expect(fixture.call("GET", "/v1", authorization: authorization).status == 404)
    #expect(fixture.call("PUT", "/v1/orders", authorization: authorization).value(of: "Allow") == "GET, HEAD, POST")
  }

  @Test("echoes what it received, line by line")
  func echo() throws {
    let fixture = try Fixture()
    let fields = [ServiceField("X-b", "\"1\""), ServiceField("x-A", "ü"), ServiceField("X-B", "2")]
    let request = ServiceRequest(
      method: "PURGE", path: "/echo/a", query: "b=%20", fields: fields, body: [1, 2, 3])
    let object = try fixture.api.answer(request, now: Fixture.now).object
    #expect(object["method"] as? String == "PURGE")
    #expect(object["target"] as? String == "/echo/a?b=%20")
    #expect(object["body_length"] as? Int == 3)
    #expect(object["token"] == nil)
    let lines = (object["fields"] as! [[String: String]]).map { ServiceField($0["name"]!, $0["value"]!) }
    #expect(lines == fields)
  }

  @Test("shows the last request with its token cut short")
  func received() throws {
    let fixture = try Fixture()
    let token = try fixture.token()
    _ = fixture.call(authorization: ["Bearer \(token)"])
    let page = fixture.call("GET", "/sandbox/received", authorization: [])
    let text = String(decoding: page.body, as: UTF8.self)
    #expect(
      text == """
        GET /v1/orders
        Authorization: Bearer \(token.prefix(10))… (aud api.sandbox, scope read:orders, 3600 s)

        """)
    #expect(fixture.journal.counters.apiRequests == 1)
  }
}
