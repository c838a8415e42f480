import Configuration
import Foundation
import Secrets
import Testing

@Suite("token_store")
struct TokenStoreProblemTests {
  private let directory = FileManager.default.temporaryDirectory.path + "/store-\(UUID().uuidString)"
  private let key = "a-key-of-more-than-32-characters-in-all"

  private func make(_ path: String, mode: Int = 0o700) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func complaints(_ settings: String) -> String {
    problems(faultless + "token_store: { \(settings) }").joined(separator: "\n")
  }

  @Test("tokens are kept in memory unless it says where else")
  func memory() throws {
    #expect(try configuration(faultless).tokenStore == nil)
  }

  @Test("a directory that is there, or can be made, is taken; the key is optional")
  func directories() throws {
    let missing = try configuration(faultless + "token_store: { directory: \(directory) }")
    #expect(missing.tokenStore?.directory == directory)
    #expect(!FileManager.default.fileExists(atPath: directory), "reading makes nothing")
    try make(directory)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let present = try configuration(faultless + "token_store: { directory: \(directory), key: { env: KEY } }")
    #expect(present.tokenStore?.key == Secret(key))
  }

  @Test("a directory that others can enter, or that cannot be used, is a problem that says how to fix it")
  func unfit() throws {
    try make(directory, mode: 0o755)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(
      complaints("directory: \(directory)").contains(
        "token_store.directory names \(directory), which is open to other users (mode 0755); chmod 700 \(directory) fixes that"
      ))
    #expect(complaints("directory: /dev/null").contains("which is not a directory"))
    #expect(complaints("directory: \(directory)/no/where").contains("neither does the directory it would be in"))
    #expect(complaints("key: { env: KEY }").contains("token_store.directory is missing; it must be the path of a"))
    #expect(complaints("directory: /tmp/x, dir: y").contains("unknown setting \"dir\""))
  }

  @Test(
    "a directory that others could exchange is a problem, whether it is there yet or not", arguments: [true, false])
  func above(isThere: Bool) throws {
    try make(directory, mode: 0o777)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    if isThere { try make("\(directory)/tokens") }
    let end = "where every user of this machine could put another one in its place (mode 0777); chmod go-w"
    #expect(
      complaints("directory: \(directory)/tokens")
        == "5:27: token_store.directory names \(directory)/tokens, which is in the directory \(directory), \(end) \(directory) fixes that"
    )
    // What a variable holds may be a secret: then no path is shown that it may be part of.
    let environment = environment.merging(["PLACE": directory]) { $1 }
    let text = faultless + "token_store: { directory: \"${PLACE}/tokens\" }"
    let error = #expect(throws: ConfigurationError.self) {
      try ConfigurationLoader.parse(Array(text.utf8), fileName: "proxy.conf", environment: Environment(environment))
    }
    #expect(
      error?.problems.map(\.description) == [
        "proxy.conf:5:27: token_store.directory names ${PLACE}/tokens, which is in a directory, \(end) fixes that"
      ])
  }

  @Test("credentials without a secret need a key")
  func noSecret() throws {
    try make(directory)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let pem = directory + "/client.pem"
    try Data(ExampleClient.key.utf8).write(to: URL(fileURLWithPath: pem))
    let text = """
      credentials:
        kinde:
          { token_endpoint: "https://a.example/token", client_id: id, authentication: private_key_jwt,
            private_key: { file: \(pem) } }
      routes:
        - { name: orders, match: orders.internal, audience: https://orders.example.com }
      """
    let found = problems(text + "\ntoken_store: { directory: \(directory) }")
    #expect(found.count == 1)
    #expect(found.first?.contains("token_store needs a key: credentials.kinde have no client_secret") == true)
    #expect(problems(text + "\ntoken_store: { directory: \(directory), key: { env: KEY } }") == [])
  }

  @Test("a key that is too short is a problem, and no message shows a key")
  func keys() throws {
    #expect(complaints("directory: \(directory), key: { env: WORD }").contains("token_store.key is shorter than 32"))
    let complaint = complaints("directory: \"/${KEY}\", key: { env: KEY }")
    #expect(!complaint.contains(key))
    #expect(complaints("directory: \"/no/${KEY}/x\", key: { env: KEY }").contains("${KEY}"))
    #expect(complaints("directory: \(directory), key: { file: /no/such/file }").contains("No such file or directory"))
  }
}
