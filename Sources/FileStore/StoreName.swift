internal import Cryptography
internal import Tokens

/// What the files of one token request, or of one account, are called: digests, from which nothing can be read.
struct StoreName {
  /// The 32 bytes that the names are made of.
  let digest: [UInt8]

  init(_ grant: TokenGrant) throws(TokenStoreProblem) {
    let identity: [UInt8]
    do { identity = try grant.key.identity() } catch { throw TokenStoreProblem(.unusable, "\(error)") }
    try self.init(identity: identity)
  }

  init(_ account: TokenAccount) throws(TokenStoreProblem) { try self.init(identity: account.identity) }

  private init(identity: [UInt8]) throws(TokenStoreProblem) {
    do { digest = try SHA256.digest(of: identity.span) } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }

  var token: String { "\(hexadecimal).token" }
  var spending: String { "\(hexadecimal).spending" }
  var lock: String { "\(hexadecimal).lock" }

  private var hexadecimal: String {
    digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}
