internal import CLinux
import Glibc
internal import Locks

/// A program that prints a secret: the command line of a password manager or a vault.
///
/// It is run without a shell, as this process's user, with those variables of the environment that it needs, and is given nothing
/// to read. What it writes to
/// standard error is dropped: it may hold a secret.
public struct SecretProgram: Sendable, Equatable {
  /// Where it is, as an absolute path.
  public let path: String
  /// Its arguments.
  public let arguments: [String]
  /// How long its output counts as current.
  public let refresh: Duration

  /// How long it may run.
  public let timeLimit: Duration

  /// The variables that it gets beside those of ``EnvironmentPolicy``.
  public let environment: [String]

  /// The program at `path`.
  public init(
    path: String, arguments: [String], refresh: Duration, timeLimit: Duration = .seconds(10), environment: [String] = []
  ) {
    self.path = path
    self.arguments = arguments
    self.refresh = refresh
    self.timeLimit = timeLimit
    self.environment = environment
  }

  /// Runs it and waits for its end, for at most `limit`; then it is killed, with all processes of its group.
  ///
  /// - Returns: its output, without trailing line ends.
  public func run(limit: Duration? = nil) throws(SecretError) -> Secret {
    let limit = limit ?? timeLimit
    var output: Int32 = -1
    let child = start(&output)
    guard child > 0 else { throw failure("cannot be started: \(Self.text(of: errno))") }
    let end = ContinuousClock.now + limit
    var isHeldOpen = false
    let printed = Self.read(output, of: child, until: end, &isHeldOpen)
    close(output)
    var status: Int32 = 0
    if case .success(let text) = printed, !(isHeldOpen && text.isEmpty) {
      // It may have closed its standard output, and keep running.
      switch unsafe clinux_wait_program(child, Self.milliseconds(until: end), &status) {
      case 1: break
      case 0:
        unsafe clinux_kill_program(child, &status)
        throw tookTooLong(limit)
      default: throw failure("cannot be waited for: \(Self.text(of: errno))")
      }
    } else {
      // It may have ended after starting another process, which keeps its standard output open.
      unsafe clinux_kill_program(child, &status)
    }
    let secret: Secret
    switch printed {
    case .success(let text): secret = text
    case .failure(.tooLong): throw failure("printed more than \(SecretSource.sizeLimit / 1024) KB, which is no secret")
    case .failure(.timeIsUp): throw tookTooLong(limit)
    case .failure(.unreadable(let error)): throw failure("cannot be read from: \(Self.text(of: error))")
    }
    // WIFSIGNALED, WTERMSIG and WEXITSTATUS, which are macros.
    guard status & 0x7F == 0 else { throw failure("was ended by signal \(status & 0x7F)") }
    guard status == 0 else { throw failure("ended with exit code \(status >> 8 & 0xFF)") }
    guard !secret.isEmpty else {
      throw failure(
        isHeldOpen
          ? "printed nothing before it ended; what it has started, which still held its standard output, was killed"
          : "printed nothing")
    }
    let hasLines = secret.withBytes { bytes in bytes.indices.contains { bytes[$0] == 10 || bytes[$0] == 13 } }
    guard !hasLines else { throw failure("printed more than one line; a secret is a single one") }
    return secret
  }

  private func tookTooLong(_ limit: Duration) -> SecretError {
    failure("did not end within \(limit.components.seconds) s, and was killed")
  }

  private func failure(_ complaint: String) -> SecretError {
    SecretError(source: SecretSource.program(self).description, reason: .program(complaint))
  }

  private func start(_ output: inout Int32) -> pid_t {
    var words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe words.indices { unsafe free(words[index]) } }
    var variables = unsafe EnvironmentCustody.environment.entries(EnvironmentPolicy.isOfPrograms, and: environment)
    defer {
      for index in unsafe variables.indices.dropLast() {
        unsafe explicit_bzero(variables[index]!, strlen(variables[index]!))
        unsafe free(variables[index])
      }
    }
    return unsafe clinux_start_program(path, &words, &variables, &output)
  }

  private enum ReadFailure: Error {
    case tooLong, timeIsUp
    case unreadable(Int32)
  }

  // A program that has ended may have left a daemon that never closes its standard output. For this long, output may still come
  // from a program that it started to print the secret.
  private static let grace = Duration.milliseconds(250)

  /// Reads `descriptor` to its end, but no more than a secret may have. Also stops when the program `child` has ended and
  /// another process keeps the descriptor open; `isHeldOpen` then says so.
  private static func read(
    _ descriptor: Int32, of child: pid_t, until end: ContinuousClock.Instant, _ isHeldOpen: inout Bool
  ) -> Result<Secret, ReadFailure> {
    let limit = SecretSource.sizeLimit
    // One byte more than allowed, to detect that there is more.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: limit + 1, alignment: 1)
    var count = 0
    defer {
      unsafe explicit_bzero(memory.baseAddress!, memory.count)
      unsafe memory.deallocate()
    }
    var end = end
    var hasEnded = false
    while count <= limit {
      var ended: Int32 = 0
      let isReadable =
        hasEnded
        ? clinux_wait_readable(descriptor, milliseconds(until: end))
        : unsafe clinux_wait_output(descriptor, child, milliseconds(until: end), &ended)
      if ended != 0 {
        hasEnded = true
        end = min(end, .now + grace)
      }
      switch isReadable {
      case 1...: break
      case 0 where ended != 0: continue
      case 0 where hasEnded:
        isHeldOpen = true
        return .success(unsafe secret(in: memory[..<count]))
      case 0: return .failure(.timeIsUp)
      default: return .failure(.unreadable(errno))
      }
      let got = unsafe Glibc.read(descriptor, memory.baseAddress! + count, limit + 1 - count)
      if got == 0 {
        return .success(unsafe secret(in: memory[..<count]))
      }
      if got < 0, errno != EAGAIN, errno != EINTR { return .failure(.unreadable(errno)) }
      count += max(0, got)
    }
    return .failure(.tooLong)
  }

  private static func secret(in printed: Slice<UnsafeMutableRawBufferPointer>) -> Secret {
    unsafe Secret(trimmingLineEnds: Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: printed)))
  }

  private static func milliseconds(until end: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: end) / .milliseconds(1)
    return Int32(max(0, min(left.rounded(.up), Double(Int32.max))))
  }

  private static func text(of error: Int32) -> String { unsafe String(cString: strerror(error)) }
}

extension SecretProgram {
  /// Runs `programs` in parallel, at most `atOnce` at a time, and waits until all have ended.
  package static func run(_ programs: [SecretProgram], atOnce: Int = 8) -> [Result<Secret, SecretError>] {
    struct Runs {
      var next = 0
      var results: [Result<Secret, SecretError>?]
    }
    let runs = Monitor(Runs(results: Array(repeating: nil, count: programs.count)))
    @Sendable func work() {
      while true {
        let index = runs.withLock { runs in
          defer { runs.next += 1 }
          return runs.next
        }
        guard index < programs.count else { return }
        let result = Result { () throws(SecretError) in
          try SecretSource.program(programs[index]).read(environment: [:])
        }
        runs.withLock { $0.results[index] = result }
        runs.wakeAll()
      }
    }
    // This thread works too: if no other thread can be started, the programs run one after the other.
    for _ in 1..<max(1, min(programs.count, atOnce)) where !BackgroundThread.run(work) { break }
    work()
    return runs.wait(while: { $0.results.contains { $0 == nil } }) { $0.results.map { $0! } }
  }
}

extension SecretProgram: CustomStringConvertible, CustomReflectable {
  /// Only the path: an argument may be secret.
  public var description: String { path }
  /// Shows the path alone.
  public var customMirror: Mirror { Mirror(self, children: ["path": path]) }
}

/// The file of a program.
public enum ProgramFile {
  /// Why this process cannot run the file at `path`, to follow its name; nil if it can.
  public static func complaint(path: String) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return "cannot be run: \(unsafe String(cString: strerror(errno)))" }
    guard status.st_mode & S_IFMT == S_IFREG else { return "is not a regular file" }
    guard unsafe access(path, X_OK) == 0 else {
      return "cannot be run: \(unsafe String(cString: strerror(errno))) (running as uid \(geteuid()))"
    }
    return nil
  }
}

/// A thread for one piece of work that may block.
package enum BackgroundThread {
  /// Runs `work` on a thread of its own; false if none can be started.
  package static func run(name: StaticString = "secrets", _ work: @escaping @Sendable () -> Void) -> Bool {
    final class Launch {
      let name: StaticString
      let work: @Sendable () -> Void
      init(_ name: StaticString, _ work: @escaping @Sendable () -> Void) { (self.name, self.work) = (name, work) }
    }
    let launch = unsafe Unmanaged.passRetained(Launch(name, work))
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let launch = unsafe Unmanaged<Launch>.fromOpaque(argument!).takeRetainedValue()
        launch.name.withUTF8Buffer { name in unsafe clinux_name_thread(name.baseAddress) }
        launch.work()
        return nil
      }, launch.toOpaque())
    guard status == 0 else {
      unsafe launch.release()
      return false
    }
    _ = pthread_detach(thread)
    return true
  }
}
