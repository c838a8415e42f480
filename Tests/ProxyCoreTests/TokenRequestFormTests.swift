import Testing

@testable import ProxyCore

@Suite("Token requests that the proxy answers itself") struct TokenRequestFormTests {
  private func form(_ text: String) -> TokenRequestForm { TokenRequestForm(Array(text.utf8)) }

  @Test(
    "name the grant and the scopes",
    arguments: [
      ("grant_type=client_credentials", "client_credentials", nil),
      ("client_id=a&grant_type=client_credentials&client_secret=b=c&scope=a+b%3Ac", "client_credentials", "a b:c"),
      ("grant%5Ftype=client%5fcredentials", "client_credentials", nil),
      ("&&grant_type=password&", "password", nil),
      ("grant_type=%zz%2", "%zz%2", nil), ("grant_type=%+1%-1", "% 1%-1", nil),
      ("grant_type=&scope=", nil, nil), ("grant_type", nil, nil), ("", nil, nil),
      (#"{"grant_type":"client_credentials"}"#, nil, nil), ("Grant_Type=x", nil, nil),
    ] as [(String, String?, String?)])
  func read(text: String, grant: String?, scope: String?) {
    let form = form(text)
    #expect(form.grantType == grant && form.scope == scope && !form.hasRepetition)
  }

  @Test("have each parameter once", arguments: ["grant_type=a&grant_type=a", "scope=a&grant_type=b&scope=c"])
  func repetition(text: String) {
    #expect(form(text).hasRepetition)
  }
}
