import Deliveries
import HTTPWire
import Testing

@Suite("Authentication of connections") struct ConnectionAuthenticationTests {
  private func authenticates(_ fields: String) throws -> Bool {
    let message = bytes("GET /a HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    #expect(try parser.parse(message.span, into: &head))
    return head.authenticatesConnection(message.span)
  }

  private func challenge(_ fields: String) throws -> ConnectionChallenge {
    let message = bytes("HTTP/1.1 401 Unauthorized\r\n\(fields)\r\n")
    var parser = ResponseHeadParser(limits: HeadLimits())
    var head = ResponseHead()
    #expect(try parser.parse(message.span, into: &head))
    return head.connectionChallenge(message.span)
  }

  @Test(
    "a request with one of their schemes is recognised, in any case and in every place",
    arguments: [
      "Authorization: NTLM TlRMTVNTUAAB\r\n", "authorization: ntlm TlRMTVNTUAAB==\r\n", "AUTHORIZATION:nTlM\tTlRM\r\n",
      "Authorization: NTLM\r\n", "Authorization: Negotiate YII=\r\n", "Authorization: NEGOTIATE YII=\r\n",
      "Authorization: Kerberos YII=\r\n", "Authorization: CredSSP YII=\r\n", "Authorization: Nego2 YII=\r\n",
      "Authorization: Basic YTpi\r\nX: y\r\nAuthorization: NTLM TlRM\r\n", "Authorization: Basic YTpi, NTLM TlRM\r\n",
      "Authorization: , ,\tNTLM TlRM\r\n", "Authorization: Digest realm=\"a, NTLM x, b\"\r\n",
    ])
  func requests(fields: String) throws {
    #expect(try authenticates(fields))
  }

  @Test(
    "so is every other scheme that is not known to be about one request, whatever a server makes of it",
    arguments: [
      "GSS-Negotiate YII=", "SPNEGO YII=", "NegoEx YII=", "PKU2U YII=", "LiveSSP YII=", "KerberosV5 YII=", "NTLMv2 x",
      "XNTLM x", "Negotiates x", "Negotiat", "0123abcd", "eyJh.eyJi.c", "apikey=NTLM", "\u{A0}NTLM x", "\u{85}NTLM x",
      "\"NTLM\" x", "=NTLM x", "Basic:NTLM x", "Basic\u{A0}NTLM x", "Basic YTpi, GSSAPI x",
      "Basic YTpi, \u{A0}NTLM x", "Digest realm=\"a\", Passport x", "Digest realm=\"a, b", "Basic x\", Passport x, \"y",
      "AWS4-HMAC-SHA x", "SCRAM-SHA-1-PLUS x",
    ])
  func unknownSchemes(value: String) throws {
    // A head is bytes: those of a character beyond ASCII are not its UTF-8.
    #expect(try authenticates("Authorization: \(value)\r\n"))
  }

  @Test(
    "and one that begins with a byte that is in no token, such as ISO 8859-1's blank", arguments: [0xA0, 0x85, 0xFF])
  func otherBytes(byte: UInt8) throws {
    let message = bytes("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: ?NTLM x\r\n\r\n").map {
      $0 == UInt8(ascii: "?") ? byte : $0
    }
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    #expect(try parser.parse(message.span, into: &head))
    let isFound = head.authenticatesConnection(message.span)
    #expect(isFound)
  }

  @Test(
    "schemes that authenticate a request are not",
    arguments: [
      "", "Authorization:\r\n", "Authorization: ,\r\n", "Authorization: Basic TlRMTVNTUA==\r\n",
      "Authorization: Bearer ntlm\r\n", "Authorization: Bearer NTLM.x.y\r\n", "Authorization: bAsIc\r\n",
      "Authorization: BEARER\ta\r\n", "Authorization: Basic YTpi, Bearer abc\r\n", "Authorization: DPoP abc\r\n",
      "Authorization: Digest username=\"a, b c, d\\\", e\", realm=\"f\", qop=auth, nc = 1\r\n",
      "Authorization: OAuth realm=\"x\", oauth_token=\"y\"\r\n", "Authorization: Token abc\r\n",
      "Authorization: SCRAM-SHA-256 sid=AAA,data=biws\r\n", "Authorization: Hawk id=\"a\", ts=\"1\"\r\n",
      "Authorization: Signature keyId=\"a\",headers=\"(request-target) date\"\r\n",
      "Authorization: SharedKey account:c2ln\r\n", "Authorization: ApiKey a\r\n", "Authorization: vapid t=a, k=b\r\n",
      "Authorization: Digest username=\"a\", realm=\"b\", uri=\"/NTLM\", qop=auth\r\n",
      "Authorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b\r\n",
      "X-Authorization: NTLM x\r\n", "Proxy-Authorization: NTLM x\r\n", "WWW-Authenticate: NTLM\r\n",
    ])
  func others(fields: String) throws {
    #expect(try !authenticates(fields))
  }

  @Test(
    "a challenge is an offer, one with data the server's part of a handshake",
    arguments: [
      ("WWW-Authenticate: NTLM\r\n", ConnectionChallenge.offer),
      ("www-authenticate: Bearer, negotiate\r\n", .offer),
      ("WWW-Authenticate: Basic realm=\"a, b\", Kerberos realm=\"x\"\r\n", .offer),
      ("WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: CredSSP\r\n", .offer),
      ("WWW-Authenticate: Kerberos realm=x\r\n", .offer),
      ("WWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n", .handshake),
      (
        "WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: NTLM\r\nwww-authenticate: NEGOTIATE  oYG2MIGz+/a==\r\n",
        .handshake
      ),
      ("WWW-Authenticate: NTLM, Negotiate oYG2MIGz=, Basic realm=\"a\"\r\n", .handshake),
      ("WWW-Authenticate: NTLM \t,Bearer abc\r\n", .offer),
      ("WWW-Authenticate: GSS-Negotiate oYG2MIGz=\r\n", .handshake), ("WWW-Authenticate: Passport x\r\n", .handshake),
      ("WWW-Authenticate: Basic realm=\"a, b\", Passport x\r\n", .handshake), ("WWW-Authenticate: SPNEGO\r\n", .offer),
      ("WWW-Authenticate: Passport\r\n", .none), ("WWW-Authenticate: Passport realm=\"a\"\r\n", .none),
      ("WWW-Authenticate: Basic realm=\"a, b c, d\"\r\n", .none), ("WWW-Authenticate: Bearer abc, DPoP x\r\n", .none),
      ("WWW-Authenticate: Basic realm=\"NTLM TlRM\"\r\n", .none),
      ("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", .none),
      ("WWW-Authenticate:\r\n", .none), ("Authorization: NTLM TlRM\r\n", .none), ("", .none),
    ])
  func challenges(fields: String, expected: ConnectionChallenge) throws {
    #expect(try challenge(fields) == expected)
  }
}
