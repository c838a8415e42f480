import Foundation
import Secrets
import Testing

@testable import Tokens

@Suite("Rotation of the client's secret")
struct SecretRotationTests {
  private let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "rotation-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func write(_ secret: String, to name: String = "current") throws {
    try Data(secret.utf8).write(to: directory.appending(path: name))
  }

  private func entry(_ secret: String, in name: String = "current") throws -> ClientSecrets.Entry {
    try write(secret, to: name)
    return ClientSecrets.Entry(source: .file(path: directory.appending(path: name).path), secret: Secret(secret))
  }

  private func workshop(_ secrets: ClientSecrets) -> Workshop {
    let example = TokenGrant.example(secret: "old")
    return Workshop(
      grant: TokenGrant(
        key: example.key, clientSecret: example.clientSecret, secrets: secrets, credentialsName: "kinde",
        provider: .kinde))
  }

  /// The secrets that the endpoint was sent, in their order.
  private func sent(_ workshop: Workshop) -> [String] {
    workshop.endpoint.requests.map { request in
      let body = request.body.text
      return String(body.components(separatedBy: "client_secret=")[1].prefix { $0 != "&" })
    }
  }

  @Test("a file is read anew for each fetch")
  func reread() async throws {
    let workshop = workshop(ClientSecrets(current: try entry("old")))
    workshop.endpoint.replies(.token("one"))
    workshop.endpoint.replies(.token("two"))
    _ = await workshop.obtain()
    try write("new\n")
    workshop.clock.advance(by: .seconds(3600))
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["old", "new"])
  }

  @Test("a file that has vanished for a moment costs nothing: the secret that was there before is used, and it is told")
  func vanished() async throws {
    let workshop = workshop(ClientSecrets(current: try entry("old")))
    try FileManager.default.removeItem(at: directory.appending(path: "current"))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["old"])
    #expect(workshop.events.all[0].secretProblems.count == 1)
    #expect("\(workshop.events.all[0].secretProblems[0])".contains("No such file"))
  }

  @Test("the pause after a refused secret ends as soon as another one is there")
  func endsPause() async throws {
    let workshop = workshop(ClientSecrets(current: try entry("old")))
    for _ in 0..<7 { workshop.endpoint.replies(.refusal("invalid_client", status: 401)) }
    for _ in 0..<6 {
      _ = await workshop.obtain()
      workshop.clock.advance(by: .seconds(60))
    }
    _ = await workshop.obtain()
    let asked = workshop.endpoint.requests.count
    workshop.clock.advance(by: .seconds(1))
    guard case .backingOff? = await workshop.obtain()?.failure?.cause else {
      Issue.record("there should be a pause")
      return
    }
    try write("new")
    workshop.endpoint.replies(.token())
    workshop.clock.advance(by: .seconds(1))
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.endpoint.requests.count == asked + 1)
    #expect(sent(workshop).last == "new")
    #expect(workshop.events.all.last?.reason == .rotation)
  }

  @Test("of two secrets the one that works is used, within one fetch, and it is told which")
  func twoSecrets() async throws {
    let workshop = workshop(
      ClientSecrets(current: try entry("new"), previous: try entry("old", in: "previous")))
    workshop.endpoint.replies(.refusal("invalid_client", status: 401))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["new", "old"])
    #expect(workshop.events.all.map(\.secret) == [.previous])
    workshop.clock.advance(by: .seconds(3600))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["new", "old", "new"])
    #expect(workshop.events.all.map(\.secret) == [.previous, .current])
  }

  @Test("the previous secret is not tried where the first one is not what was refused")
  func otherRefusal() async throws {
    let workshop = workshop(
      ClientSecrets(current: try entry("new"), previous: try entry("old", in: "previous")))
    workshop.endpoint.replies(.refusal("invalid_scope"))
    #expect(await workshop.obtain()?.failure != nil)
    #expect(sent(workshop) == ["new"])
  }

  @Test("every source that shares a secret notices that it has changed")
  func shared() async throws {
    let secrets = ClientSecrets(current: try entry("old"))
    let workshops = [workshop(secrets), workshop(secrets), workshop(secrets)]
    for workshop in workshops {
      workshop.endpoint.replies(.refusal("invalid_client", status: 401))
      _ = await workshop.obtain()
    }
    try write("new")
    for workshop in workshops {
      workshop.endpoint.replies(.token())
      #expect(await workshop.obtain()?.success != nil)
    }
  }
}
