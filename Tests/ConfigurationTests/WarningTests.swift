import Testing

@Suite("A warning")
struct WarningTests {
  @Test(
    "is given for what is allowed but deserves a second look",
    arguments: [
      Case(
        "listen: 0.0.0.0:8080",
        "5:9: listen is 0.0.0.0:8080: anybody who reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case(
        "listen: [8080, '[::]:0']",
        "5:16: listen[1] is [::]:0: anybody who reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case(
        "listen:\n- address: 0.0.0.0:8080",
        "6:12: listen[0].address is 0.0.0.0:8080: anybody who reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case("listen: { address: 0.0.0.0:8080, allow: [10.0.0.0/8] }"),
      Case("listen: [127.9.9.9:80, 'localhost:81', '[::1]:82']\nadmin: 0.0.0.0:9901"),
      Case(""),
    ])
  func listening(example: Case) throws {
    #expect(try warnings(faultless + example.text + "\n") == example.expected)
  }

  @Test("is given for a secret in the file, for a token sent in the clear and for credentials that nobody uses")
  func others() throws {
    let text = """
      credentials:
        one: { domain: acme.kinde.com, client_id: id, client_secret: s3cr3t }
        two: { domain: acme.kinde.com, client_id: id, client_secret: { env: SECRET } }
      routes:
        - { name: a, match: a, audience: x, credentials: one, forward_to: 'http://a.example:8000' }
        - { name: b, match: b, credentials: none, forward_to: 'http://b.example' }
        - { name: c, match: c, audience: x, credentials: one, forward_to: 'http://127.1.2.3' }
      """
    #expect(
      try warnings(text) == [
        "2:64: credentials.one.client_secret is written in proxy.conf; a file or an environment variable is safer",
        "3:3: credentials.two is used by no route",
        "5:69: routes[0].forward_to is http://a.example:8000: the token travels unencrypted",
      ])
  }
}
