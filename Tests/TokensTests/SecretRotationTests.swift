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

  private func workshop(_ secrets: ClientSecrets, _ clock: ManualClock = ManualClock()) -> Workshop {
    let example = TokenGrant.example(secret: "old")
    return Workshop(
      grant: TokenGrant(
        key: example.key, clientSecret: example.clientSecret, secrets: secrets, credentialsName: "kinde",
        provider: .kinde), clock: clock)
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

  @Test("a file that is missing for a moment costs nothing: the previous secret is used, and that is logged")
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

  @Test("of two secrets the one that works is used, within one fetch, and the log says which")
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

  // MARK: Programs

  /// A program that notes in the file `runs` that it was run, and prints the file `current`; `script` comes in between.
  private func program(_ script: String = "", refresh: Duration = .seconds(300)) throws -> ClientSecrets.Entry {
    try write("old")
    let script = "cd $1; echo x >> runs; \(script)\ncat current"
    return ClientSecrets.Entry(
      source: .program(
        SecretProgram(
          path: "/bin/sh", arguments: ["-c", script, "sh", directory.path], refresh: refresh, timeLimit: .seconds(600))),
      secret: Secret("old"))
  }

  private var runs: Int {
    let text = try? String(contentsOf: directory.appending(path: "runs"), encoding: .utf8)
    return text?.count { $0 == "\n" } ?? 0
  }

  private func secrets(
    _ entry: ClientSecrets.Entry, at clock: ManualClock, _ problems: Collected<SecretError> = Collected()
  ) -> ClientSecrets {
    ClientSecrets(current: entry, loaded: clock.now) { problems.append($0) }
  }

  private func wait(until condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(1)) }
  }

  @Test("a program is run again when the server refuses what it printed, and the fetch goes on with the new secret")
  func refusedProgram() async throws {
    let clock = ManualClock()
    let workshop = workshop(secrets(try program(), at: clock), clock)
    try write("new")
    clock.advance(by: .seconds(2))
    workshop.endpoint.replies(.refusal("invalid_client", status: 401))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["old", "new"])
    #expect(runs == 1)
  }

  @Test("a secret that is refused again and again costs one request and one run for each fetch")
  func sameSecret() async throws {
    let clock = ManualClock()
    let workshop = workshop(secrets(try program(), at: clock), clock)
    clock.advance(by: .seconds(2))
    workshop.endpoint.replies(.refusal("invalid_client", status: 401))
    #expect(await workshop.obtain()?.failure != nil)
    #expect(sent(workshop) == ["old"])
    #expect(runs == 1)
  }

  @Test("a program is run again in the background when its time has come, and no fetch waits for it")
  func refreshed() async throws {
    let clock = ManualClock()
    // The program goes on when the test lets it.
    let secrets = secrets(try program("while [ ! -e go ]; do sleep 0.01; done"), at: clock)
    let workshop = workshop(secrets, clock)
    workshop.endpoint.otherwise { .success(.token(expiresIn: 60)) }
    clock.advance(by: .seconds(299))
    #expect(await workshop.obtain()?.success != nil)
    clock.advance(by: .seconds(200))
    try write("new")
    #expect(await workshop.obtain()?.success != nil)
    try write("", to: "go")
    try await wait { secrets.read().secrets[0].secret == Secret("new") }
    clock.advance(by: .seconds(60))
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["old", "old", "new"])
    #expect(runs == 1)
  }

  @Test("a fetch whose secret is refused waits for the run that it has started in the background itself")
  func refusedWhileRefreshing() async throws {
    let clock = ManualClock()
    let workshop = workshop(secrets(try program("while [ ! -e go ]; do sleep 0.01; done"), at: clock), clock)
    try write("new")
    clock.advance(by: .seconds(300))
    let go = directory.appending(path: "go")
    workshop.endpoint.replies(.refusal("invalid_client", status: 401)) {
      // The run could take longer by now than the fetch may.
      clock.advance(by: .seconds(1))
      #expect(FileManager.default.createFile(atPath: go.path, contents: nil))
    }
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(sent(workshop) == ["old", "new"])
    #expect(runs == 1)
  }

  @Test("the last good secret is kept when the program fails, and that is logged; it runs again after a minute")
  func failingProgram() async throws {
    let clock = ManualClock()
    let problems = Collected<SecretError>()
    let workshop = workshop(secrets(try program("exit 3", refresh: .seconds(3600)), at: clock, problems), clock)
    workshop.endpoint.otherwise { .success(.token(expiresIn: 30)) }
    clock.advance(by: .seconds(3600))
    #expect(await workshop.obtain()?.success != nil)
    try await wait { problems.all.count == 1 }
    #expect(problems.all.map(\.description) == ["program /bin/sh ended with exit code 3"])
    clock.advance(by: .seconds(59))
    #expect(await workshop.obtain()?.success != nil)
    clock.advance(by: .seconds(31))
    #expect(await workshop.obtain()?.success != nil)
    try await wait { problems.all.count == 2 }
    #expect(sent(workshop) == ["old", "old", "old"])
    #expect(runs == 2)
  }

  @Test("there is one run at a time: a fetch that needs a new secret waits for the run in progress")
  func oneRun() async throws {
    let clock = ManualClock()
    let secrets = secrets(try program("while [ ! -e go ]; do sleep 0.01; done"), at: clock)
    clock.advance(by: .seconds(300))
    secrets.refreshIfDue(at: clock.now)
    try await wait { runs == 1 }
    try write("new")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { await secrets.rerun(at: clock.now, within: .seconds(600)) } }
      secrets.refreshIfDue(at: clock.now)
      // One that may not wait as long as the run takes goes on without.
      await secrets.rerun(at: clock.now, within: .milliseconds(1))
      #expect(secrets.read().secrets[0].secret == Secret("old"))
      try write("", to: "go")
      try await group.waitForAll()
    }
    #expect(secrets.read().secrets[0].secret == Secret("new"))
    #expect(runs == 1)
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
