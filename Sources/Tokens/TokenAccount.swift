/// Whose tokens are counted together, in all processes that share a store.
public struct TokenAccount: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String

  /// An account made of its parts.
  public init(credentials: String, endpoint: String, clientID: String) {
    self.credentials = credentials
    self.endpoint = endpoint
    self.clientID = clientID
  }

  /// Bytes that differ between any two accounts, the same in all processes.
  public var identity: [UInt8] {
    var identity = Identity("account 1")
    identity.append(credentials)
    identity.append(endpoint)
    identity.append(clientID)
    return identity.bytes
  }
}

extension TokenRequestKey {
  /// Bytes that differ between any two keys, the same in all processes.
  public var identity: [UInt8] {
    var identity = Identity("token request 1")
    identity.append(endpoint)
    identity.append(clientID)
    identity.append(authentication.rawValue)
    identity.append(audience.map { [$0] } ?? [])
    identity.append(scopes)
    identity.append(parameters.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
    return identity.bytes
  }
}

/// Texts in a row, each with its length, so that no two rows give the same bytes.
private struct Identity {
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

  private mutating func append(count: Int) {
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
  }
}
