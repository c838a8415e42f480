import Foundation
import Secrets
import Testing
import Tokens

@testable import FileStore

@Suite("A token in a file")
struct FileTokenStoreTests {
  private let files = Files()

  @Test("what was saved is loaded by another process, but never without the key")
  func roundTrip() async throws {
    try await files.store().save(.example(), for: .example())
    let loaded = try #require(try await files.store().load(.example()))
    #expect(loaded.token.text == "the-token-itself")
    #expect(loaded.requestedAt == 1_800_000_000 && loaded.lifetime == .milliseconds(3_600_500))
    #expect(try await files.store().load(.example(clientID: "client-2")) == nil)
    #expect(await problem { () async throws(TokenStoreProblem) in try await files.load(secret: "other") } == .damaged)
  }

  @Test("neither token nor secret is in the directory, and no other user can read it")
  func secrecy() async throws {
    let store = try files.store(key: "a-key-of-more-than-32-characters-in-all")
    try await store.save(.example(), for: .example())
    let claim = try await store.claim(.example(), for: .seconds(1))
    _ = try await store.count(1, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
    await claim?.release()
    #expect(files.names.count == 4)
    for name in files.names {
      let path = files.path + "/" + name
      let content = name + String(decoding: try Data(contentsOf: URL(filePath: path)), as: Unicode.ASCII.self)
      for secret in ["the-token", "s3cr3t", "a-key", "client-1", "orders"] { #expect(!content.contains(secret)) }
      #expect(try mode(of: path) == 0o600)
    }
    #expect(try mode(of: files.path) == 0o700)
    #expect(!"\(store)".contains("a-key") && !String(reflecting: store).contains("a-key"))
  }

  private func mode(of path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test("a file that was changed at any byte is set aside, and does not come back")
  func damage() async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    let good = try files.bytes(".token")
    let path = try files.file(".token")
    // Header, nonce, times, token and tag.
    let lengths = [5, 12, 16, 16, 16]
    #expect(good.count == lengths.reduce(0, +))
    for position in good.indices {
      var bad = good
      bad[position] ^= 1 << (position % 8)
      try files.put(bad, to: path)
      #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .damaged)
      #expect(try await store.load(.example()) == nil)
    }
    #expect(files.names.filter { $0.hasSuffix(".damaged") }.count == 1)
    try await store.save(.example("the-next"), for: .example())
    #expect(try await store.load(.example())?.token.text == "the-next")
  }

  @Test("a file that was cut at any byte, or that goes on behind its end, is set aside")
  func length() async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    let good = try files.bytes(".token")
    let path = try files.file(".token")
    let others = good.indices.map { Array(good.prefix($0)) } + [good + [0], good + Array(repeating: 7, count: 100_000)]
    for other in others {
      try files.put(other, to: path)
      #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .damaged)
    }
  }

  @Test("a file that belongs to another request does not open under this one's name")
  func moved() async throws {
    let store = try files.store(key: "key")
    try await store.save(.example(), for: .example(clientID: "client-1"))
    let path = try files.file(".token")
    let bytes = try files.bytes(".token")
    try FileManager.default.removeItem(atPath: path)
    try await store.save(.example("other"), for: .example(clientID: "client-2"))
    try files.put(bytes, to: try files.file(".token"))
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.load(.example(clientID: "client-2"))
      } == .damaged)
  }

  @Test("during a rotation both secrets open a file; then the new one does")
  func rotation() async throws {
    func secrets(_ current: String, _ previous: String? = nil) -> ClientSecrets {
      ClientSecrets(
        current: ClientSecrets.Entry(source: .inline(Secret(current)), secret: Secret(current)),
        previous: previous.map { ClientSecrets.Entry(source: .inline(Secret($0)), secret: Secret($0)) })
    }
    let store = try files.store()
    try await store.save(.example("one"), for: .example(secrets: secrets("old")))
    let both = TokenGrant.example(secrets: secrets("new", "old"))
    #expect(try await store.load(both)?.token.text == "one")
    try await store.save(.example("two"), for: both)
    #expect(try await store.load(.example(secrets: secrets("new")))?.token.text == "two")
  }

  @Test("a secret file that was rotated meanwhile is read anew")
  func rotatedFile() async throws {
    let store = try files.store()
    let path = files.path + "-secret"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let secrets = ClientSecrets(current: ClientSecrets.Entry(source: .file(path: path), secret: Secret("old")))
    try files.put(Array("new\n".utf8), to: path)
    try await store.save(.example("two"), for: .example(secret: "new"))
    #expect(try await store.load(.example(secrets: secrets))?.token.text == "two")
  }

  @Test("without any secret to derive a key from, nothing is stored in the clear")
  func noKey() async throws {
    let store = try files.store()
    let grant = TokenGrant.example(secret: "")
    #expect(
      await problem { () async throws(TokenStoreProblem) in try await store.save(.example(), for: grant) } == .unusable)
    #expect(files.names.isEmpty)
  }

  @Test("only the token that is meant is dropped")
  func drop() async throws {
    let store = try files.store()
    try await store.drop(.example(), for: .example())
    try await store.save(.example("two"), for: .example())
    try await store.drop(.example("one"), for: .example())
    #expect(try await store.load(.example())?.token.text == "two")
    try await store.drop(.example("two"), for: .example())
    #expect(files.names.isEmpty)
  }

  @Test("a newer token that comes just when the old one is dropped stays")
  func dropRace() throws {
    let directory = try StoreDirectory(path: files.path)
    var comes = true
    try directory.write([1], to: "x.token")
    try directory.remove("x.token") { content throws(TokenStoreProblem) in
      if comes { try directory.write([2], to: "x.token") }
      comes = false
      return content == [1]
    }
    #expect(try files.bytes(".token") == [2])
    #expect(files.names == ["x.token"])
  }

  @Test("what is no regular file is set aside: links, pipes, directories", arguments: ["link", "pipe", "directory"])
  func strange(kind: String) async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    let path = try files.file(".token")
    let elsewhere = files.path + "/elsewhere"
    try FileManager.default.moveItem(atPath: path, toPath: elsewhere)
    switch kind {
    case "link": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: elsewhere)
    case "pipe":
      let status = unsafe mkfifo(path, 0o600)
      #expect(status == 0)
    default: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .damaged)
    try await store.save(.example("two"), for: .example())
    #expect(try await store.load(.example())?.token.text == "two")
  }

  @Test("a file of another user is set aside", .enabled(if: geteuid() == 0, "only root can give files away"))
  func owner() async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    try FileManager.default.setAttributes([.ownerAccountID: 65532], ofItemAtPath: try files.file(".token"))
    #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .damaged)
  }

  @Test("a file that others can write is set aside", arguments: [0o620, 0o602, 0o666])
  func writable(mode: Int) async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: try files.file(".token"))
    #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .damaged)
  }

  @Test("a file that cannot be replaced, and a missing directory, are reported")
  func unwritable() async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    let path = try files.file(".token")
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.save(.example(), for: .example())
      } == .unusable)
    #expect(files.names.count == 1, "what was begun is removed")

    try FileManager.default.removeItem(atPath: files.path)
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.save(.example(), for: .example())
      } == .unusable)
    #expect(
      await problem { () async throws(TokenStoreProblem) in try await store.claim(.example(), for: .zero) } == .unusable
    )
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.count(1, for: .example, knowing: TokenSums(), atWallSeconds: 0)
      } == .unusable)
    #expect(try await store.load(.example()) == nil)
  }
}

extension Files {
  fileprivate func load(secret: String) async throws(TokenStoreProblem) -> StoredToken? {
    try await FileTokenStore(path: path, key: nil).load(.example(secret: secret))
  }
}

extension TokenAccount {
  static let example = TokenAccount(
    credentials: "kinde", endpoint: "https://acme.kinde.com/oauth2/token", clientID: "client-1")
}
