import Foundation
import SystemPackage
import Testing

@testable import Secrets

@Suite("Programs that print a secret")
struct SecretProgramTests {
  private func shell(_ script: String, _ arguments: String...) -> SecretProgram {
    SecretProgram(path: "/bin/sh", arguments: ["-c", script, "sh"] + arguments, refresh: .seconds(300))
  }

  private func complaint(_ program: SecretProgram, limit: Duration = .seconds(60)) -> String? {
    do {
      _ = try SecretSource.program(program).read(environment: [:], limit: limit)
      return nil
    } catch {
      return error.complaint
    }
  }

  @Test("its output without trailing line ends is the secret")
  func prints() throws {
    #expect(try shell("echo s3cret").run() == Secret("s3cret"))
    #expect(try shell("printf 's3cret\\r\\n\\n'").run() == Secret("s3cret"))
    let most = try shell("head -c 65536 /dev/zero | tr '\\0' x").run()
    #expect(most.count == 65536)
  }

  @Test("it gets its arguments unchanged, without a shell")
  func arguments() throws {
    let words = ["$HOME", "`id`", "a  b", "*", "'"]
    let program = SecretProgram(path: "/bin/echo", arguments: words, refresh: .seconds(300))
    #expect(try program.run() == Secret(words.joined(separator: " ")))
  }

  @Test("the error says why there is no secret, and never shows the output")
  func failures() throws {
    #expect(complaint(shell("echo s3cret; exit 3")) == "ended with exit code 3")
    #expect(complaint(shell("echo s3cret >&2; exit 1")) == "ended with exit code 1")
    #expect(complaint(shell("echo s3cret; kill -9 $$")) == "was ended by signal 9")
    #expect(complaint(shell("true")) == "printed nothing")
    #expect(complaint(shell("echo; echo")) == "printed nothing")
    #expect(complaint(shell("cat")) == "printed nothing", "there is nothing to read")
    #expect(complaint(shell("yes s3cret")) == "printed more than 64 KB, which is no secret")
    #expect(
      complaint(shell("printf 's3cret\\nmore'")) == "printed more than one line; a secret is a single one")
    #expect(
      complaint(SecretProgram(path: "/nowhere/vault", arguments: [], refresh: .seconds(1)))
        == "cannot be started: No such file or directory")
  }

  @Test(
    "what takes too long is killed, with the programs that it has started",
    arguments: [
      "sleep 1000 & echo $! > $1; wait", "echo $$ > $1; exec >&-; exec sleep 1000",
    ])
  func timeLimit(script: String) async throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("pid-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(complaint(shell(script, file.path), limit: .seconds(1)) == "did not end within 1 s, and was killed")
    try await hasEnded(file)
  }

  /// Waits for the end of the process whose number is in `file`.
  private func hasEnded(_ file: URL) async throws {
    let pid = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .newlines)
    // The process that inherits it may leave it as a zombie.
    while let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), !status.contains(") Z ") {
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  @Test("a process that it leaves behind with its standard output is not waited for, and lives on if there is a secret")
  func daemon() async throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("pid-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let program = shell("sleep 1000 & echo $! > $1; echo s3cret", file.path)
    #expect(try program.run(limit: .seconds(600)) == Secret("s3cret"))
    let pid = try #require(pid_t(try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .newlines)))
    #expect(kill(pid, SIGKILL) == 0, "the daemon is still there")
    // A program that it has started to print the secret may be a little later than its end.
    #expect(try shell("(sleep 0.01; echo s3cret) &").run(limit: .seconds(600)) == Secret("s3cret"))
  }

  @Test("a process that it leaves behind is killed, and the error says so, if there is no secret")
  func daemonWithoutSecret() async throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("pid-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(
      complaint(shell("sleep 1000 & echo $! > $1", file.path), limit: .seconds(600))
        == "printed nothing before it ended; what it has started, which still held its standard output, was killed")
    #expect(complaint(shell("sleep 1000 & exit 4"), limit: .seconds(600)) == "ended with exit code 4")
    try await hasEnded(file)
  }

  @Test("several run in parallel, up to a limit, and each has its own result")
  func several() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    // Each waits for the others of its group.
    let meet = "cd $1; : > $2; for i in $3; do until [ -e $i ]; do sleep 0.01; done; done; echo s3cret-$2"
    let together = (1...4).map { shell(meet, directory.path, "\($0)", "1 2 3 4") }
    let results = SecretProgram.run(together + [shell("exit 3")] + together, atOnce: 4)
    #expect(try results.prefix(4).map { try $0.get() } == (1...4).map { Secret("s3cret-\($0)") })
    guard case .failure(let error) = results[4] else { return #expect(Bool(false), "no failure") }
    #expect(error.complaint == "ended with exit code 3")
    #expect(SecretProgram.run([]).isEmpty)
  }

  @Test("it inherits no descriptor of this process")
  func descriptors() throws {
    let null = try FileDescriptor.open(FilePath("/dev/null"), .readOnly)
    defer { try? null.close() }
    let inherited = try null.duplicate()
    defer { try? inherited.close() }
    let isInherited = fcntl(inherited.rawValue, F_SETFD, 0) == 0
    try #require(isInherited)
    let program = SecretProgram(
      path: "/usr/bin/readlink", arguments: ["/proc/self/fd/\(inherited.rawValue)"], refresh: .seconds(300))
    #expect(complaint(program) == "ended with exit code 1")
    #expect(try shell("readlink /proc/self/fd/0").run() == Secret("/dev/null"))
    #expect(try shell("readlink /proc/self/fd/2").run() == Secret("/dev/null"))
  }

  @Test("signals that this process has blocked end it")
  func signals() throws {
    var blocked = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&blocked)
    unsafe sigaddset(&blocked, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &blocked, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    #expect(complaint(shell("kill -TERM $$; echo s3cret")) == "was ended by signal 15")
  }

  @Test("its arguments are not shown")
  func redaction() {
    let program = shell("hunter2")
    var dumped = ""
    dump(SecretSource.program(program), to: &dumped)
    for text in [dumped, "\(program)", String(reflecting: program), "\(SecretSource.program(program))"] {
      #expect(text.contains("/bin/sh") && !text.contains("hunter2"), "\(text)")
    }
  }
}
