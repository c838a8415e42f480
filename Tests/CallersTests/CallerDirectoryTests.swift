import Configuration
import Cryptography
import Secrets
import Testing

@testable import Callers

@Suite("User and password in a header field")
struct BasicCredentialsTests {
  private func read(_ value: String) -> (user: String, password: String)? {
    let bytes = Array(value.utf8)
    guard let credentials = BasicCredentials(bytes.span) else { return nil }
    return (
      credentials.user,
      credentials.password.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    )
  }

  @Test(
    "are read as RFC 7617 has them",
    arguments: [
      ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"), ("basic dGVzdDoxMjPCow==", "test", "123£"),
      ("BASIC   YTpiOmM=", "a", "b:c"), ("Basic Og==", "", ""), ("Basic YTo", "a", ""),
      ("Basic YTrkw/8=", "a", "äÃÿ"),
    ])
  func reading(value: String, user: String, password: String) throws {
    let found = try #require(read(value))
    #expect(found.user == user && found.password == password)
  }

  @Test(
    "are nothing else",
    arguments: [
      "", "Basic", "Basic ", "Basic !", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic YWI=", "Basic YTpi YTpi",
      "Basic,YTpi", "YTpi", "Basic \(String(repeating: "YTpi", count: 401))",
    ])
  func refused(value: String) {
    #expect(read(value) == nil)
  }
}

@Suite("The callers that a route admits")
struct CallerAccessTests {
  private func access(_ callers: [Int]?, _ credentials: CredentialsChoice) -> CallerAccess? {
    var route = Route(name: "a", upstream: nil, credentials: credentials)
    route.rules.callers = callers
    return CallerAccess(route)
  }

  @Test("can be any client where neither rule nor credentials need one")
  func anyClient() {
    #expect(access(nil, .noToken) == nil && access(nil, .same(0)) == nil)
  }

  @Test("are those that the rule names, or that have credentials, or all where there are credentials for others")
  func certain() throws {
    let rule = try #require(access([1], .same(0)))
    #expect(rule.admits(1) && !rule.admits(0) && !rule.admitsStrangers)
    let own = try #require(access(nil, .byCaller([2: 0], others: nil)))
    #expect(own.admits(2) && !own.admits(0) && !own.admitsStrangers)
    let others = try #require(access(nil, .byCaller([2: 0], others: 1)))
    #expect(others.admits(2) && others.admits(0) && others.admitsStrangers)
    let both = try #require(access([1, 2], .byCaller([2: 0], others: 1)))
    #expect(both.admits(1) && !both.admits(0) && !both.admitsStrangers)
    #expect(CallerAccess(.known).admits(5) && !CallerAccess(.known).admitsStrangers)
    #expect(CallerAccess(.oneOf([1])).admits(1) && !CallerAccess(.oneOf([1])).admits(0))
  }

  @Test("are known by the user of a socket, and by any name of a certificate")
  func directory() throws {
    let subject = try #require(DistinguishedName("CN=erp,O=Example"))
    let directory = CallerDirectory(
      [
        Caller(name: "cron", uid: 1001), Caller(name: "erp", certificate: .subject(subject)),
        Caller(name: "dns", certificate: .dns("erp.internal")), Caller(name: "uri", certificate: .uri("spiffe://x/y")),
        Caller(name: "email", certificate: .email("a@b.example")),
      ], passwords: nil)
    func caller(_ subject: String, dns: [String] = [], uris: [String] = [], emails: [String] = []) -> Int? {
      directory.caller(subject: subject, dnsNames: dns, uris: uris, emails: emails)
    }
    #expect(directory.caller(uid: 1001) == 0 && directory.caller(uid: 0) == nil)
    #expect(caller("CN=erp,O=Example", dns: ["erp.internal"]) == 1)
    #expect(caller("CN=x", dns: ["other", "ERP.internal"]) == 2 && caller("", uris: ["spiffe://x/y"]) == 3)
    #expect(caller("CN=x", emails: ["a@b.example"]) == 4)
    #expect(caller("O=Example,CN=erp", dns: ["x.erp.internal"], uris: ["spiffe://x/Y"]) == nil)
    #expect(!directory.takesPasswords(CallerAccess(.known)))
  }
}
