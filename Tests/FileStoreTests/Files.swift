import Foundation
import Secrets
import Tokens

@testable import FileStore

/// A directory for the files of one test.
final class Files: Sendable {
  let path = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID().uuidString)").path

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func store(key: String? = nil) throws -> FileTokenStore {
    try FileTokenStore(path: path, key: key.map { Secret($0) })
  }

  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

  /// The one file whose name ends so.
  func file(_ ending: String) throws -> String {
    let found = names.filter { $0.hasSuffix(ending) }
    guard found.count == 1 else { throw CocoaError(.fileNoSuchFile) }
    return path + "/" + found[0]
  }

  func bytes(_ ending: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: try file(ending)))) }
  func put(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }
}

extension TokenGrant {
  static func example(
    clientID: String = "client-1", secret: String = "s3cr3t", secrets: ClientSecrets? = nil
  ) -> TokenGrant {
    TokenGrant(
      key: TokenRequestKey(
        endpoint: "https://acme.kinde.com/oauth2/token", clientID: clientID, authentication: .clientSecretPost,
        audience: "https://orders.example.com", scopes: []),
      clientSecret: Secret(secret), secrets: secrets, credentialsName: "kinde", provider: .kinde)
  }
}

extension StoredToken {
  static func example(_ token: String = "the-token-itself") -> StoredToken {
    StoredToken(token: Secret(token), requestedAt: 1_800_000_000, lifetime: .milliseconds(3_600_500))
  }
}

extension Secret {
  var text: String {
    withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}

/// What kind of problem `body` meets with.
func problem<R>(_ body: () async throws(TokenStoreProblem) -> R) async -> TokenStoreProblem.Kind? {
  do {
    _ = try await body()
    return nil
  } catch { return error.kind }
}
