internal import Cryptography
internal import HTTPService

/// What a client authenticates with (RFC 6749 2.3.1).
struct ClientCredentials: Equatable {
  let clientID: String
  let clientSecret: String
  /// Whether they came in the Authorization field.
  let isBasic: Bool

  /// The credentials in `request`, whose body is `form`.
  init(of request: ServiceRequest, _ form: Form) throws(TokenRefusal) {
    let authorization = request.values(of: "authorization")
    guard authorization.count <= 1 else { throw TokenRefusal(.invalidRequest, "there is more than one Authorization") }
    if let value = authorization.first {
      guard form["client_secret"] == nil else {
        throw TokenRefusal(.invalidRequest, "the client authenticates in two ways at once")
      }
      guard let (name, secret) = Self.basic(value) else {
        throw TokenRefusal(.invalidClient, "the Authorization field has no well-formed Basic credentials")
      }
      guard form["client_id"] == nil || form["client_id"] == name else {
        throw TokenRefusal(.invalidRequest, "client_id differs from the one in the Authorization field")
      }
      (clientID, clientSecret, isBasic) = (name, secret, true)
    } else {
      guard let name = form["client_id"], let secret = form["client_secret"] else {
        throw TokenRefusal(.invalidClient, "client_id or client_secret is missing")
      }
      (clientID, clientSecret, isBasic) = (name, secret, false)
    }
  }

  /// Name and password of RFC 7617, each in the form encoding that RFC 6749 asks for.
  private static func basic(_ value: String) -> (String, String)? {
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "basic" else { return nil }
    let encoded = parts[1].map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
    let unpadded = String(encoded).split(separator: "=", omittingEmptySubsequences: true)
    guard unpadded.count == 1, let bytes = Base64URL.decode(unpadded[0]),
      let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    do {
      return (try Form.decode(bytes[..<colon]), try Form.decode(bytes[(colon + 1)...]))
    } catch {
      return nil
    }
  }
}
