public import Cryptography
public import Secrets

extension TokenRequestKey {
  /// Bytes that are the same in all processes, and differ between any two keys whose tokens are not interchangeable.
  /// They contain no secret.
  public func identity() throws(CryptographyError) -> [UInt8] {
    var identity = TokenIdentity("token request 1")
    identity.append(endpoint)
    identity.append(clientID)
    identity.append(authentication.name)
    identity.append(audience.map { [$0] } ?? [])
    identity.append(scopes)
    identity.append(resources)
    identity.append(parameters.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
    identity.append(count: headers.count)
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
      identity.append(name)
      identity.append(digest: try value.withBytes { bytes throws(CryptographyError) in try SHA256.digest(of: bytes) })
    }
    // The number of the way is known only in this process; tokens may be bound to the certificate.
    identity.append(certificateFile.map { [$0] } ?? [])
    return identity.bytes
  }
}

extension TokenAccount {
  /// Bytes that are the same in all processes, and differ between any two accounts.
  public var identity: [UInt8] {
    var identity = TokenIdentity("account 1")
    identity.append(credentials)
    identity.append(endpoint)
    identity.append(clientID)
    return identity.bytes
  }
}

/// Texts in a row, each with its length, so that different rows give different bytes.
private struct TokenIdentity {
  private(set) var bytes: [UInt8] = []

  init(_ kind: String) { append(kind) }

  mutating func append(_ text: String) {
    append(count: text.utf8.count)
    bytes += text.utf8
  }

  mutating func append(_ texts: [String]) {
    append(count: texts.count)
    for text in texts { append(text) }
  }

  mutating func append(digest: [UInt8]) {
    append(count: digest.count)
    bytes += digest
  }

  mutating func append(count: Int) {
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
  }
}

extension ClientAuthenticationMethod {
  /// Its name in proxy.conf, which is that of RFC 7591 section 2 if that has one.
  fileprivate var name: String {
    switch self {
    case .clientSecretPost: "client_secret_post"
    case .clientSecretBasic: "client_secret_basic"
    case .clientSecretBasicRaw: "client_secret_basic_raw"
    case .privateKeyJWT: "private_key_jwt"
    case .clientAssertion: "client_assertion"
    case .tlsClientAuth: "tls_client_auth"
    }
  }
}

/// Everything that tells one token request from another, except the client secret: requests with equal keys get
/// interchangeable tokens.
public struct TokenRequestKey: Hashable, Sendable {
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String
  /// How the client authenticates.
  public let authentication: ClientAuthenticationMethod
  /// The API that the token is for, if the request names one.
  public let audience: String?
  /// The scopes in ascending order, each once: their order in proxy.conf does not matter.
  public let scopes: [String]
  /// The resources that the token is for (RFC 8707), in ascending order, each once.
  public let resources: [String]
  /// Further form fields by name.
  public let parameters: [String: String]
  /// Further header fields by name, in lower case.
  public let headers: [String: Secret]
  /// How the connection is made: with which client certificate, and through which proxy. A number that only the
  /// transport understands; equal ways have equal numbers.
  public let way: Int
  /// The file of the client certificate, to which servers may bind tokens (RFC 8705); nil when there is none.
  public let certificateFile: String?

  /// A key; duplicates among `scopes` and `resources`, and empty ones, are dropped.
  public init(
    endpoint: String, clientID: String, authentication: ClientAuthenticationMethod, audience: String?,
    scopes: [String], resources: [String] = [], parameters: [String: String] = [:], headers: [String: Secret] = [:],
    way: Int = 0, certificateFile: String? = nil
  ) {
    self.endpoint = endpoint
    self.clientID = clientID
    self.authentication = authentication
    self.audience = audience
    self.scopes = Set(scopes).subtracting([""]).sorted()
    self.resources = Set(resources).subtracting([""]).sorted()
    self.parameters = parameters
    self.headers = headers
    self.way = way
    self.certificateFile = certificateFile
  }

  /// Host, and port if the URL has one, of the token endpoint: messages call it by this name.
  public var endpointHost: String {
    var rest = Substring(endpoint)
    if let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") { rest = rest[colon...].dropFirst(3) }
    rest = rest.prefix { !"/?#".contains($0) }
    if let user = rest.lastIndex(of: "@") { rest = rest[rest.index(after: user)...] }
    return String(rest)
  }
}
