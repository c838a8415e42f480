import Foundation
import Locks
import Reactor
import Secrets
import Testing
import Tokens

@testable import FileStore

@Suite("A directory that processes share")
struct SharedDirectoryTests {
  private let files = Files()

  @Test("one process at a time has the right to fetch")
  func claims() async throws {
    let one = try files.store()
    let two = try files.store()
    let claim = try #require(try await one.claim(.example(), for: .seconds(1)))
    #expect(try await two.claim(.example(), for: .seconds(1)) == nil)
    #expect(try await one.claim(.example(), for: .seconds(1)) == nil)
    #expect(try await two.claim(.example(clientID: "client-2"), for: .seconds(1)) != nil)
    await claim.release()
    #expect(try await two.claim(.example(), for: .seconds(1)) != nil)
  }

  @Test("a lock ends with the process that held it, even if that was killed")
  func deadHolder() async throws {
    let store = try files.store()
    let claim = try await store.claim(.example(), for: .seconds(1))
    await claim?.release()
    let holder = Process()
    holder.executableURL = URL(filePath: "/bin/sh")
    let script = "exec 9<>\"$1\"; flock -n 9 && echo locked; exec sleep 600"
    holder.arguments = ["-c", script, "sh", try files.file(".lock")]
    let output = Pipe()
    holder.standardOutput = output
    try holder.run()
    #expect(try output.fileHandleForReading.read(upToCount: 6) == Data("locked".utf8))
    #expect(try await store.claim(.example(), for: .seconds(1)) == nil)
    kill(holder.processIdentifier, SIGKILL)
    holder.waitUntilExit()
    #expect(try await store.claim(.example(), for: .seconds(1)) != nil)
  }

  @Test("two processes that need the same token at the same time fetch it once")
  func singleFlight() async throws {
    let fetches = Monitor(0)
    func process() throws -> TokenSource {
      TokenSource(
        grant: .example(),
        environment: TokenEnvironment(
          // Time stands still: however long the machine takes, no claim lasts too long.
          clock: TokenClock(now: { TokenInstant(nanoseconds: 0) }, wallSeconds: { 1_800_000_000 }),
          transport: { _ in
            let number = fetches.withLock { count in
              count += 1
              return count
            }
            // The other one has its turn while this one waits for the server.
            for _ in 0..<100 { await Task.yield() }
            let body = #"{"access_token": "number-\#(number)", "token_type": "Bearer", "expires_in": 3600}"#
            return .success(TokenHTTPResponse(status: 200, body: Array(body.utf8)))
          },
          launch: { work in Task { await work() } }, schedule: { _, call in Task { call() } }, onEvent: { _ in },
          store: try files.store(), onStoreProblem: { problem, _ in Issue.record("\(problem.detail)") }))
    }
    let sources = [try process(), try process()]
    let tokens = await withTaskGroup(of: String?.self) { group in
      for number in 0..<200 {
        group.addTask { await sources[number % 2].text() }
      }
      return await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(tokens == ["number-1"])
    #expect(fetches.withLock { $0 } == 1)
  }

  @Test("what many processes count at the same time is added up without a loss")
  func counting() async throws {
    let stores = [try files.store(), try files.store(), try files.store()]
    try await withThrowingTaskGroup { group in
      for number in 0..<60 {
        group.addTask {
          _ = try await stores[number % 3].count(1, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
        }
      }
      try await group.waitForAll()
    }
    let sums = try await files.store().count(0, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
    for period in TokenPeriod.allCases { #expect(sums.issued(in: period, atWallSeconds: 1_800_000_000) == 60) }
    #expect(sums.issued(in: .hour, atWallSeconds: 1_800_003_600) == 0)
  }

  @Test("an event loop goes on with other things while a file is waited for")
  func offTheLoop() async throws {
    let store = try files.store()
    _ = try await store.count(1, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
    let lock = try #require(
      try StoreDirectory(path: files.path).lock(String(try files.file(".lock").dropFirst(files.path.count + 1))))
    let loop = try EventLoop()
    try loop.startThread(named: "store-test")
    let kind = await withCheckedContinuation { continuation in
      loop.start {
        // Behind the work in the loop's queue: if that work waited for the lock here, the lock would never be released.
        loop.perform { lock.end() }
        let kind = await problem { () async throws(TokenStoreProblem) in
          try await store.count(1, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
        }
        continuation.resume(returning: loop.isCurrent ? kind : .unusable)
      }
    }
    loop.stop()
    #expect(kind == nil)
  }

  @Test("a damaged file of counters is set aside; a process that knows the counts goes on from there")
  func damagedCounters() async throws {
    let store = try files.store()
    let known = try await store.count(5, for: .example, knowing: TokenSums(), atWallSeconds: 1_800_000_000)
    let path = try files.file(".spending")
    let good = try files.bytes(".spending")
    let others: [[UInt8]] = [
      [], Array(good.dropLast()), good + Array("day 1 1\n".utf8), Array("m2m-proxy tokens issued 2\n".utf8),
    ]
    for bad in others {
      try files.put(bad, to: path)
      #expect(
        await problem { () async throws(TokenStoreProblem) in
          try await store.count(0, for: .example, knowing: known, atWallSeconds: 1_800_000_000)
        } == .damaged)
    }
    let sums = try await store.count(1, for: .example, knowing: known, atWallSeconds: 1_800_000_000)
    #expect(sums.issued(in: .month, atWallSeconds: 1_800_000_000) == 6)
  }

  @Test("what a process that was killed left behind is removed; what another one writes now is not")
  func leftovers() async throws {
    _ = try files.store()
    for (name, age) in [("old.token.temporary-1", 7200.0), ("new.token.temporary-2", 0), ("old.token", 7200)] {
      try files.put([1], to: files.path + "/" + name)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: files.path + "/" + name)
    }
    _ = try files.store()
    #expect(files.names == ["new.token.temporary-2", "old.token"])
  }

  @Test("a directory that others can enter, or that is none, is refused with what fixes it")
  func directories() async throws {
    func complaint(_ path: String) -> String {
      do {
        _ = try FileTokenStore(path: path, key: nil)
        return ""
      } catch { return error.detail }
    }
    #expect(complaint(files.path) == "")
    try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: files.path)
    #expect(complaint(files.path).contains("is open to other users (mode 0750); chmod 700 \(files.path) fixes that"))
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: files.path)
    try files.put([], to: files.path + "/file")
    #expect(complaint(files.path + "/file").contains("is not a directory"))
    #expect(complaint(files.path + "/missing/missing").contains("cannot be made: No such file or directory"))
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: files.path)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: files.path) }
    #expect(complaint(files.path + "/new").contains("is in the directory \(files.path), where every user"))
  }

  @Test(
    "one that others can enter later, or that is another's by then, is not used",
    arguments: geteuid() == 0 ? ["open", "another's"] : ["open"])
  func exposedLater(how: String) async throws {
    let store = try files.store()
    try await store.save(.example(), for: .example())
    if how == "open" {
      try FileManager.default.setAttributes([.posixPermissions: 0o770], ofItemAtPath: files.path)
    } else {
      try FileManager.default.setAttributes([.ownerAccountID: 65533], ofItemAtPath: files.path)
    }
    let names = files.names
    #expect(await problem { () async throws(TokenStoreProblem) in try await store.load(.example()) } == .unusable)
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.save(.example("two"), for: .example())
      } == .unusable)
    #expect(
      await problem { () async throws(TokenStoreProblem) in try await store.claim(.example(), for: .zero) } == .unusable
    )
    #expect(
      await problem { () async throws(TokenStoreProblem) in
        try await store.drop(.example(), for: .example())
      } == .unusable)
    #expect(files.names == names)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o700, .ownerAccountID: Int(geteuid())], ofItemAtPath: files.path)
    #expect(try await store.load(.example())?.token.text == "the-token-itself")
  }

  @Test(
    "a lock that another user could hold is set aside", .enabled(if: geteuid() == 0, "only root can give files away"))
  func foreignLock() async throws {
    let store = try files.store()
    await (try await store.claim(.example(), for: .seconds(1)))?.release()
    try FileManager.default.setAttributes([.ownerAccountID: 65533], ofItemAtPath: try files.file(".lock"))
    #expect(
      await problem { () async throws(TokenStoreProblem) in try await store.claim(.example(), for: .zero) } == .damaged)
    #expect(try await store.claim(.example(), for: .seconds(1)) != nil)
  }
}

extension TokenSource {
  fileprivate func text() async -> String? {
    await withCheckedContinuation { continuation in
      let availability = request { continuation.resume(returning: (try? $0.get())?.text) }
      switch availability {
      case .available(let token): continuation.resume(returning: token.text)
      case .failed: continuation.resume(returning: nil)
      case .pending: break
      }
    }
  }
}

extension AccessToken {
  fileprivate var text: String {
    withToken { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}
