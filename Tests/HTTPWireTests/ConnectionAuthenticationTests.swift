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
      "Authorization: , ,\tNTLM TlRM\r\n",
    ])
  func requests(fields: String) throws {
    #expect(try authenticates(fields))
  }

  @Test(
    "schemes that authenticate a request, and names that only look alike, are not",
    arguments: [
      "", "Authorization:\r\n", "Authorization: Basic TlRMTVNTUA==\r\n", "Authorization: Bearer ntlm\r\n",
      "Authorization: Bearer NTLM.x.y\r\n", "Authorization: NTLMv2 x\r\n", "Authorization: NTL x\r\n",
      "Authorization: XNTLM x\r\n", "Authorization: Negotiates x\r\n", "Authorization: Negotiat\r\n",
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
      ("WWW-Authenticate: Basic realm=\"NTLM TlRM\"\r\n", .none),
      ("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", .none),
      ("WWW-Authenticate:\r\n", .none), ("Authorization: NTLM TlRM\r\n", .none), ("", .none),
    ])
  func challenges(fields: String, expected: ConnectionChallenge) throws {
    #expect(try challenge(fields) == expected)
  }
}
