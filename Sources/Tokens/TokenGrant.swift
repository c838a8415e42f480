internal import Encodings
public import Secrets

/// A client-credentials grant (RFC 6749 section 4.4) as configured: what to request, and with which secret.
public struct TokenGrant: Sendable {
  /// Everything that is sent except the secret.
  public let key: TokenRequestKey
  /// The secret for the next request; empty for a client that authenticates without one.
  public private(set) var clientSecret: Secret
  /// Where the secret is read again before each fetch; nil for a secret that never changes.
  public let secrets: ClientSecrets?
  /// The token endpoint's clock, which dates assertions.
  let serverClock: ServerClock
  /// Counts the tokens of this client.
  public let spending: TokenSpending
  /// The longest wait for a token, including a second attempt.
  public let timeout: Duration
  /// Whether the type of a token is ignored, because proxy.conf says how it goes on requests.
  public let takesAnyTokenType: Bool
  /// What may be shown of this grant.
  public let summary: TokenRequestSummary

  /// A grant for `key`, authenticated by `clientSecret`; `credentialsName` and `provider` are used in messages only.
  /// The grants of one client share `serverClock`.
  public init(
    key: TokenRequestKey, clientSecret: Secret, secrets: ClientSecrets? = nil,
    serverClock: ServerClock = ServerClock(), spending: TokenSpending = TokenSpending(),
    timeout: Duration = TokenHTTPRequest.longestWait, takesAnyTokenType: Bool = false,
    credentialsName: String, provider: TokenProvider, places: TokenSettingPlaces = TokenSettingPlaces()
  ) {
    self.key = key
    self.clientSecret = clientSecret
    self.secrets = secrets
    self.serverClock = serverClock
    self.spending = spending
    self.timeout = timeout
    self.takesAnyTokenType = takesAnyTokenType
    summary = TokenRequestSummary(credentials: credentialsName, provider: provider, key: key, places: places)
  }

  /// Whether `other` sends the same bytes, the secret included, so that the two can share their tokens.
  func sendsTheSame(as other: TokenGrant) -> Bool {
    guard key == other.key, takesAnyTokenType == other.takesAnyTokenType else { return false }
    guard let secrets, let others = other.secrets else {
      return secrets == nil && other.secrets == nil && clientSecret == other.clientSecret
    }
    return secrets.isSame(as: others)
  }

  /// The client's current secrets, in the order in which they are tried. Reads small files.
  package func latestSecrets() -> [Secret] { secrets?.read().secrets.map(\.secret) ?? [clientSecret] }

  /// Shows whether the files of the client's key and certificate were replaced. Does not read them.
  func proofFileStamps() -> [FileStamp] {
    var paths = [key.certificateFile].compactMap(\.self)
    switch key.authentication {
    case .privateKeyJWT(let assertion): paths.append(assertion.keyFile)
    case .clientAssertion(let file): paths.append(file.path)
    case .clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw, .tlsClientAuth: break
    }
    return paths.map { FileStamp(path: $0) }
  }

  /// The same grant with the proof for an attempt at `wallSeconds` after 1970, by the server's clock: an assertion
  /// replaces the client secret, and is kept out of logs like one.
  func proven(at wallSeconds: Int64) throws(TokenFailure.Cause) -> TokenGrant {
    switch key.authentication {
    case .privateKeyJWT(let assertion): authenticated(by: try assertion.signed(for: key.clientID, at: wallSeconds))
    case .clientAssertion(let file): authenticated(by: try file.read(at: wallSeconds))
    case .clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw, .tlsClientAuth: self
    }
  }

  /// The same grant, authenticated by `secret`.
  func authenticated(by secret: Secret) -> TokenGrant {
    var grant = self
    grant.clientSecret = secret
    return grant
  }
}

extension TokenGrant {
  /// The request for a token (RFC 6749 section 4.4.2), with a `timeout` for its reply, made at `wallSeconds` after 1970
  /// by the server's clock. Each attempt needs its own: an assertion is valid once.
  public func request(
    timeout: Duration = TokenHTTPRequest.longestWait, wallSeconds: Int64
  ) throws(TokenFailure.Cause) -> TokenHTTPRequest {
    try proven(at: wallSeconds).provenRequest(timeout: timeout)
  }

  /// The request of a grant that is ``proven(at:)``. An empty scope is left out, since some servers reject it.
  func provenRequest(timeout: Duration) -> TokenHTTPRequest {
    var fields = [
      TokenHTTPField("Content-Type", .text("application/x-www-form-urlencoded")),
      TokenHTTPField("Accept", .text("application/json")),
    ]
    if key.authentication.isBasic {
      fields.append(TokenHTTPField("Authorization", .secret(basicCredentials(prefix: "Basic "))))
    }
    fields += key.headers.sorted { $0.key < $1.key }.map { TokenHTTPField($0.key, .secret($0.value)) }
    return TokenHTTPRequest(
      url: key.endpoint, fields: fields, body: body(), timeout: timeout, way: key.way)
  }

  private func body() -> Secret {
    var form = [("grant_type", "client_credentials")]
    if !key.authentication.isBasic { form.append(("client_id", key.clientID)) }
    if let audience = key.audience { form.append(("audience", audience)) }
    form += key.resources.map { ("resource", $0) }
    if !key.scopes.isEmpty { form.append(("scope", key.scopes.joined(separator: " "))) }
    form += key.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }

    let plain = form.reduce(0) { $0 + 2 + PercentEncoding.longest($1.0.utf8.count + $1.1.utf8.count) }
    let proof = key.authentication.proof
    let last = proof.map { $0.utf8.count + PercentEncoding.longest(clientSecret.count) } ?? 0
    var writer = SecretWriter(capacity: plain + last)
    for (position, (name, value)) in form.enumerated() {
      if position > 0 { writer.append("&") }
      writer.append(formEncoding: name)
      writer.append("=")
      writer.append(formEncoding: value)
    }
    if let proof {
      writer.append(proof)
      clientSecret.withBytes { writer.append(formEncoding: $0) }
    }
    return writer.secret()
  }

  /// The credentials of HTTP Basic. Id and secret are form-encoded before base64, as RFC 6749 section 2.3.1 demands,
  /// except for servers that do not decode them.
  func basicCredentials(prefix: String) -> Secret {
    var pair = SecretWriter(capacity: PercentEncoding.longest(key.clientID.utf8.count + clientSecret.count) + 1)
    if key.authentication == .clientSecretBasicRaw {
      pair.append(key.clientID)
      pair.append(":")
      clientSecret.withBytes { bytes in for position in bytes.indices { pair.append(bytes[position]) } }
    } else {
      pair.append(formEncoding: key.clientID)
      pair.append(":")
      clientSecret.withBytes { pair.append(formEncoding: $0) }
    }
    let plain = pair.secret()

    var writer = SecretWriter(capacity: prefix.utf8.count + Base64.encodedCount(plain.count))
    writer.append(prefix)
    plain.withBytes { bytes in Base64.standard.encode(bytes, isPadded: true) { writer.append($0) } }
    return writer.secret()
  }

  /// The client secret as it appears in a form.
  func formEncodedSecret() -> Secret {
    var writer = SecretWriter(capacity: PercentEncoding.longest(clientSecret.count))
    clientSecret.withBytes { writer.append(formEncoding: $0) }
    return writer.secret()
  }
}

/// How the client authenticates at the token endpoint (RFC 6749 section 2.3.1; RFC 7523; RFC 8705).
public enum ClientAuthenticationMethod: Hashable, Sendable {
  /// Client id and secret as fields of the form.
  case clientSecretPost
  /// Client id and secret, each form-encoded, as HTTP Basic credentials.
  case clientSecretBasic
  /// Client id and secret, not encoded, as HTTP Basic credentials, for servers that do not decode form encoding.
  case clientSecretBasicRaw
  /// The client id, and an assertion that is signed with a private key (RFC 7523 section 2.2).
  case privateKeyJWT(ClientAssertion)
  /// The client id, and an assertion that another program writes into a file (RFC 7523 section 2.2).
  case clientAssertion(AssertionFile)
  /// The client id alone: the certificate of the TLS connection authenticates the client (RFC 8705 section 2).
  case tlsClientAuth

  /// Whether id and secret go into a header field instead of the form.
  var isBasic: Bool { self == .clientSecretBasic || self == .clientSecretBasicRaw }

  /// The end of the form before the encoded secret or assertion: encoded names up to the last "="; nil if the form has neither.
  fileprivate var proof: String? {
    switch self {
    case .clientSecretPost: "&client_secret="
    case .privateKeyJWT, .clientAssertion:
      "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
    case .clientSecretBasic, .clientSecretBasicRaw, .tlsClientAuth: nil
    }
  }
}

/// Where the settings of a token request are in proxy.conf, to name them in hints: "audience in route orders, line 14".
/// Nil if a setting is absent. If routes share a token, the places are those of one of them.
/// setting is not there. Of routes that share a token it is one of them.
public struct TokenSettingPlaces: Hashable, Sendable {
  /// The setting of the audience.
  public var audience: String?
  /// The setting of the scopes.
  public var scopes: String?
  /// The setting of the resources.
  public var resources: String?
  /// The route.
  public var route: String?
  /// The lines of the client's id and of its secret or other proof: "lines 5 and 6".
  public var clientLines: String?

  /// No places.
  public init() {}
}

/// What may be shown of a token request: for log lines, problem bodies and hints. Never a secret.
public struct TokenRequestSummary: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// The provider of the token endpoint.
  public let provider: TokenProvider
  /// Host, and port if the URL has one, of the token endpoint.
  public let endpointHost: String
  /// How the client authenticates.
  public let authentication: ClientAuthenticationMethod
  /// The API that the token is for, if the request names one.
  public let audience: String?
  /// The resources that the token is for (RFC 8707), in ascending order.
  public let resources: [String]
  /// The requested scopes, in ascending order.
  public let scopes: [String]

  /// Where these settings are in proxy.conf.
  public let places: TokenSettingPlaces

  /// The parts of `key` that may be shown, under their usual names.
  public init(credentials: String, provider: TokenProvider, key: TokenRequestKey, places: TokenSettingPlaces) {
    self.places = places
    self.credentials = credentials
    self.provider = provider
    endpointHost = key.endpointHost
    authentication = key.authentication
    audience = key.audience
    resources = key.resources
    scopes = key.scopes
  }
}
