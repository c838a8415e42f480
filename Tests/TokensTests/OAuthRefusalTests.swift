import Testing
import Tokens

@Suite("How a refusal is read")
struct OAuthRefusalTests {
  private static func refusal(
    _ response: TokenHTTPResponse, grant: TokenGrant = .example()
  ) async -> OAuthRefusal? {
    let workshop = Workshop(grant: grant)
    workshop.endpoint.replies(response)
    let failure = await workshop.obtain()?.failure
    guard case .refused(let refusal) = failure?.cause else { return nil }
    #expect(workshop.endpoint.requests.count == 1, "a refusal is not worth a second attempt")
    return refusal
  }

  @Test(
    "codes and descriptions are read in the forms of several servers",
    arguments: [
      (
        #"{"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"}"#, .invalidClient, "invalid_client",
        "ClientId is Invalid"
      ),
      (
        #"{"errorCode": "invalid_client", "errorSummary": "Invalid value"}"#, .invalidClient, "invalid_client",
        "Invalid value"
      ),
      (#"{"error": "invalid_audience"}"#, .invalidTarget, "invalid_audience", nil),
      (
        #"{"error": "Unauthorized", "message": "Bad credentials", "status": 401}"#, .other, "Unauthorized",
        "Bad credentials"
      ),
      (#"{"message": "Forbidden"}"#, .other, nil, "Forbidden"),
      (#"{"error": {"code": 401}, "ErrorCode": 7}"#, .other, nil, nil),
    ] as [(String, OAuthErrorCode, String?, String?)])
  func forms(body: String, code: OAuthErrorCode, reported: String?, description: String?) async throws {
    let refusal = try #require(await Self.refusal(.json(body, status: 401)))
    #expect(refusal == OAuthRefusal(code: code, reportedCode: reported, description: description, status: 401))
  }

  @Test("each registered code is known by its name", arguments: OAuthErrorCode.allCases.filter { $0 != .other })
  func knownCodes(code: OAuthErrorCode) async throws {
    let refusal = try #require(await Self.refusal(.refusal(code.rawValue)))
    #expect(refusal == OAuthRefusal(code: code, reportedCode: code.rawValue, description: nil, status: 400))
  }

  @Test("an unknown code counts as other, and is still shown")
  func unknownCode() async throws {
    let refusal = try #require(await Self.refusal(.refusal("AADSTS7000215\\r\\n", status: 401)))
    #expect(refusal == OAuthRefusal(code: .other, reportedCode: "AADSTS7000215", description: nil, status: 401))
  }

  @Test(
    "without an OAuth error the status is all there is to tell",
    arguments: ["", "Forbidden", "<html>", "[]", "{}", #"{"error":{"code":1}}"#, #"{"error":"a","error":"b"}"#])
  func withoutOAuthError(body: String) async throws {
    let refusal = try #require(await Self.refusal(.json(body, status: 403)))
    #expect(refusal == OAuthRefusal(code: .other, reportedCode: nil, description: nil, status: 403))
  }

  @Test("a description is shortened, and stripped of what is not printable ASCII")
  func description() async throws {
    let long = String(repeating: "x", count: 500)
    let body = #"{"error":"invalid_scope","error_description":"\u001b[31m no\r\nSet-Cookie: a\"b\u202e\#(long)"}"#
    let refusal = try #require(await Self.refusal(.json(body, status: 400)))
    let description = try #require(refusal.description)
    #expect(description.hasPrefix("[31m no Set-Cookie: a b xxx"))
    #expect(description.utf8.count <= 201)
    #expect(description.utf8.allSatisfy { (0x20...0x7E).contains($0) })
  }

  @Test(
    "a description that repeats the secret in any form is left out",
    arguments: ["s3cr3t+/ %&", "s3cr3t%2B%2F%20%25%26", "Y2xpZW50LTE6czNjcjN0JTJCJTJGJTIwJTI1JTI2"])
  func descriptionWithSecret(form: String) async throws {
    let body = #"{"error":"invalid_client","error_description":"wrong secret \#(form), sorry"}"#
    let refusal = try #require(await Self.refusal(.json(body, status: 401)))
    #expect(
      refusal == OAuthRefusal(code: .invalidClient, reportedCode: "invalid_client", description: nil, status: 401))
  }

  @Test("a refusal with status 200 is a refusal")
  func refusalWithSuccess() async throws {
    let refusal = try #require(await Self.refusal(.refusal("invalid_client", status: 200)))
    #expect(refusal.code == .invalidClient)
  }
}
