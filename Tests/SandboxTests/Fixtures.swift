import Foundation
import HTTPService

@testable import Sandbox

/// One key for all tests, since making one takes a while.
let testKey = Result { try SigningKey() }

/// A sandbox without sockets.
struct Fixture {
  static let issuer = "http://127.0.0.1:9400"
  static let now = 1_800_000_000

  let journal = Journal()
  let mint: TokenMint
  let api: ProtectedAPI
  let server: AuthorizationServer

  init(failure: ForcedFailure? = nil) throws {
    let application = Application(
      clientID: "shop", clientSecret: "s3cr:t+%",
      authorizations: [
        .registered("api.sandbox"): ["read:orders"], .management: ["read:organizations"],
      ])
    let settings = SandboxSettings(
      ordersAudience: "api.sandbox",
      apis: [
        RegisteredAPI(audience: "api.sandbox", scopes: ["read:orders", "write:orders"]),
        RegisteredAPI(audience: "reports.sandbox", scopes: []),
      ], applications: [application])
    let registry = Registry(settings, issuer: Self.issuer)
    mint = TokenMint(issuer: Self.issuer, key: try testKey.get(), lifetime: 3600)
    api = ProtectedAPI(registry: registry, mint: mint, journal: journal)
    let tokens = TokenEndpoint(registry: registry, mint: mint, failure: failure)
    server = AuthorizationServer(tokens: tokens, api: api, journal: journal)
  }

  /// What a request for a token is answered; `parameters` replace those of a good one, and nil takes one away.
  func tokenAnswer(_ parameters: [String: String?] = [:], fields: [ServiceField]? = nil) -> ServiceResponse {
    let good = [
      "grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cr:t+%", "audience": "api.sandbox",
      "scope": "read:orders",
    ]
    let form = good.merging(parameters.mapValues { $0 ?? "" }) { $1 }.filter { !$0.value.isEmpty }
    return post(form.map { "\($0)=\(encoded($1))" }.joined(separator: "&"), fields: fields)
  }

  func post(_ body: String, fields: [ServiceField]? = nil) -> ServiceResponse {
    let fields = fields ?? [ServiceField("Content-Type", "application/x-www-form-urlencoded")]
    let request = ServiceRequest(method: "POST", path: "/oauth2/token", fields: fields, body: Array(body.utf8))
    return server.answer(request, now: Self.now)
  }

  /// What the API answers to a request with this Authorization.
  func call(
    _ method: String = "GET", _ path: String = "/v1/orders", authorization: [String], at now: Int = Fixture.now
  ) -> ServiceResponse {
    let fields = authorization.map { ServiceField("Authorization", $0) }
    return api.answer(ServiceRequest(method: method, path: path, fields: fields), now: now)
  }

  func token(scopes: String? = "read:orders", audience: String = "api.sandbox") throws -> String {
    let answer = tokenAnswer(["scope": scopes, "audience": audience])
    return try answer.object["access_token"] as! String
  }

  private func encoded(_ value: String) -> String {
    value.addingPercentEncoding(withAllowedCharacters: .alphanumerics)!
  }
}

extension ServiceResponse {
  /// The body as a JSON object, read by Foundation.
  var object: [String: Any] {
    get throws { try JSONSerialization.jsonObject(with: Data(body)) as! [String: Any] }
  }

  func value(of name: String) -> String? {
    fields.first { $0.name == name }?.value
  }
}
