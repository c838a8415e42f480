internal import Admin
internal import CLinux
internal import Control
internal import Glibc
internal import Locks
internal import Reactor
internal import Secrets
internal import Synchronization
internal import SystemPackage
internal import Telemetry

/// What became of an upgrade.
enum UpgradeOutcome: Sendable {
  /// The process with that number serves.
  case done(process: pid_t, program: String)
  /// It was not tried: why, as a sentence.
  case refused(String)
  /// The new program says that the configuration has problems.
  case invalid([String])
  /// The new process did not get so far that it serves: why, as sentences.
  case failed([String])
}

/// Starts another process of this program, passes the listening sockets on to it, and drains this process once that one serves. If it
/// does not, nothing has happened.
///
/// One upgrade at a time, on a thread of its own. See docs/decisions/0021-upgrade.md.
final class Upgrader: Sendable {
  typealias Completion = @Sendable (UpgradeOutcome) -> Void

  /// The parts of the process that take part.
  struct Parts: Sendable {
    let start: ProcessStart
    let workers: [Worker]
    let drain: Drain
    let reloader: Reloader
    let control: ControlService?
    let logger: EventLog
    /// The tokens that are valid now, for the new process; nil for none.
    let tokens: @Sendable () -> Secret?
  }

  private let parts: Parts
  private let isRunning = Atomic<Bool>(false)
  private let lastFailure = Monitor<(reasons: [String], time: UInt64)?>(nil)

  // How long a loop may take to copy what it listens on.
  private static let loopPatience = 5_000
  // How often it is looked whether the process is about to stop, in milliseconds.
  private static let interval = 50
  // The most that is kept of what the new process says.
  private static let longestReport = 64 * 1024

  init(_ parts: Parts) { self.parts = parts }

  /// Why the last upgrade failed, and when, in nanoseconds since 1970; nil where none has.
  var failure: (reasons: [String], time: UInt64)? { lastFailure.withLock { $0 } }

  /// Upgrades, and calls `done` with what became of it. From any thread; returns at once.
  ///
  /// - Parameter cause: why, for the log.
  func upgrade(because cause: String, _ request: UpgradeRequest, _ done: @escaping Completion = { _ in }) {
    guard !isRunning.exchange(true, ordering: .acquiring) else {
      return end(.refused("Another upgrade is under way."), because: cause, took: .zero, done)
    }
    let began = ContinuousClock.now
    let started = BackgroundThread.run(name: "upgrade") { [self] in
      parts.reloader.turn.take()
      let (outcome, process) = attempt(request)
      isRunning.store(false, ordering: .releasing)
      parts.reloader.turn.give()
      end(outcome, because: cause, took: .now - began, done)
      if let process { watch(process) }
    }
    guard !started else { return }
    isRunning.store(false, ordering: .releasing)
    end(.failed(["no thread can be started."]), because: cause, took: .zero, done)
  }

  // MARK: The steps

  private func attempt(_ request: UpgradeRequest) -> (UpgradeOutcome, pid_t?) {
    if parts.drain.isReplaced { return (.refused("Another process has taken the place of this one already."), nil) }
    if parts.drain.hasBegun { return (.refused("The proxy is about to stop."), nil) }
    if let obstacle = parts.start.obstacle { return (.refused(obstacle), nil) }
    let program = request.binary ?? parts.start.program
    if let complaint = parts.start.complaint(about: program, isFromRoot: request.isFromRoot) {
      return (.failed([complaint]), nil)
    }
    let child: Successor
    do throws(StartError) { child = try start(program) } catch { return (.failed(error.reasons), nil) }
    let failure = wait(for: child, request.patience)
    // From here on SIGTERM means this process alone; one that came before ends both.
    guard failure == nil, parts.drain.beginReplaced() else {
      child.kill()
      // The new process may have claimed the control socket.
      parts.control?.claim()
      return (failure ?? .refused("The proxy is about to stop."), nil)
    }
    parts.start.service.mainProcess(is: child.process)
    parts.reloader.handOver()
    parts.control?.handOver()
    return (.done(process: child.process, program: program), child.process)
  }

  private func start(_ program: String) throws(StartError) -> Successor {
    let sockets = try copies()
    let tokens = parts.tokens()
    do throws(Errno) {
      let description = try MemoryFile("m2m-proxy-upgrade")
      let tokenFile = try MemoryFile("m2m-proxy-tokens")
      if let tokens {
        try tokens.withBytes { bytes throws(Errno) in try tokenFile.write(bytes) }
      } else {
        let none: [UInt8] = []
        try tokenFile.write(none.span)
      }
      let variables = try EnvironmentCustody.handOver()
      defer { close(variables.rawValue) }
      var outcome = try Pipe()
      // What each is called in the new process: see clinux_start_successor.
      let numbers =
        ([description.descriptor.number, tokenFile.descriptor.number, variables.rawValue, outcome.writingEnd]
        + sockets.map(\.copy.number)).sorted()
      func passed(_ number: Int32) -> Int32 { STDERR_FILENO + 1 + Int32(numbers.firstIndex(of: number) ?? 0) }
      let handOver = HandOver(
        process: getpid(), version: Product.version, outcome: passed(outcome.writingEnd),
        tokens: passed(tokenFile.descriptor.number), sockets: sockets.map { $0.settings(passed($0.copy.number)) })
      try description.write(Array(handOver.text.utf8).span)
      let environment = environment(adding: [
        "\(HandOver.variable)=\(HandOver.form):\(passed(description.descriptor.number))",
        "\(EnvironmentCustody.descriptorVariable)=\(passed(variables.rawValue))",
      ])
      var words = unsafe ([program] + parts.start.arguments).map { unsafe strdup($0) } + [nil]
      defer { for index in unsafe words.indices { unsafe free(words[index]) } }
      var entries = unsafe environment.map { unsafe strdup($0) } + [nil]
      defer { for index in unsafe entries.indices { unsafe free(entries[index]) } }
      // The numbers are those of descriptors that close with their owners, which otherwise could end after their last use above.
      let process = withExtendedLifetime(description) {
        withExtendedLifetime(tokenFile) {
          withExtendedLifetime(outcome) {
            withExtendedLifetime(sockets) {
              unsafe clinux_start_successor(program, &words, &entries, numbers, Int32(numbers.count))
            }
          }
        }
      }
      guard process > 0 else { throw .last }
      return Successor(process, outcome.takeReadingEnd())
    } catch {
      throw StartError("\(program) cannot be started: \(error).")
    }
  }

  /// The environment of the new process: what libraries read, which is in that of this process, and `variables`. All others it gets
  /// by the descriptor of ``EnvironmentCustody``, so that no secret is in its environment.
  private func environment(adding variables: [String]) -> [String] {
    var variables = variables
    if let service = parts.start.service.variable { variables.append(service) }
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      variables.append(unsafe String(cString: text))
      unsafe entry += 1
    }
    return variables
  }

  /// Waits until the new process serves; why it does not, if it does not.
  private func wait(for child: Successor, _ patience: Duration) -> UpgradeOutcome? {
    let deadline = ContinuousClock.now + patience
    var report: [UInt8] = []
    var hasEnded = false
    var piece = [UInt8](repeating: 0, count: 4096)
    while true {
      if parts.drain.hasBegun { return .refused("The proxy is about to stop.") }
      guard ContinuousClock.now < deadline else {
        return .failed(
          Self.reasons(report) + ["process \(child.process) did not serve within \(patience), and was killed."])
      }
      var ended: Int32 = 0
      let isReadable = unsafe clinux_wait_output(child.output, child.process, Int32(Self.interval), &ended)
      hasEnded = ended != 0
      if isReadable > 0 {
        let count = unsafe read(child.output, &piece, piece.count)
        if count > 0, report.count < Self.longestReport { report += piece[..<count] }
        if Self.lines(report).last == Predecessor.serving { return nil }
        if count > 0 { continue }
      } else if isReadable == 0, !hasEnded {
        continue
      }
      return Self.failure(Self.reasons(report), child.end())
    }
  }

  /// What is wrong where the new process has ended with `status`, or closed the pipe without a word.
  private static func failure(_ reasons: [String], _ status: Int32?) -> UpgradeOutcome {
    guard let status else {
      return .failed(reasons + ["the new process did not say whether it serves, and was killed."])
    }
    // WIFSIGNALED, WTERMSIG and WEXITSTATUS, which are macros.
    guard status & 0x7F == 0 else {
      return .failed(reasons + ["the new process was ended by signal \(status & 0x7F)."])
    }
    let code = status >> 8 & 0xFF
    if code == EX_USAGE, !reasons.isEmpty { return .invalid(reasons) }
    return .failed(reasons.isEmpty ? ["the new process ended with exit code \(code)."] : reasons)
  }

  private static func lines(_ report: [UInt8]) -> [String] {
    String(decoding: report, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private static func reasons(_ report: [UInt8]) -> [String] {
    lines(report).filter { $0.hasPrefix("- ") }.map { String($0.dropFirst(2)) }
  }

  /// Says so when the new process ends while this one still has something to finish.
  private func watch(_ process: pid_t) {
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 { guard errno == EINTR else { return } }
    parts.logger.warning(
      .upgrade,
      [
        .error: "ended", .detail: "process \(process), which has taken the place of this one, has ended",
        .hint: "its own log says why; start the proxy again",
      ])
  }

  // MARK: What is passed on

  private struct SocketCopy: Sendable {
    let copy: ListenerCopy
    let settings: @Sendable (Int32) -> HandOver.Socket
  }

  /// A copy of each listening socket. In the turn of this upgrade, so that none comes or goes.
  private func copies() throws(StartError) -> [SocketCopy] {
    let (bound, admin, adminAddress) = parts.reloader.parted
    var copies: [SocketCopy] = []
    var known: Set<UInt> = []
    for worker in parts.workers {
      for (number, copy) in try onLoop(worker.loop, { () throws(Errno) in try worker.copyListeners() }) {
        // Loops may share one.
        guard known.insert(copy.socket).inserted,
          let index = bound.firstIndex(where: { $0.served.number == number })
        else { continue }
        let (address, name) = ("\(bound[index].address)", bound[index].passedName)
        copies.append(
          SocketCopy(copy: copy) {
            HandOver.Socket(
              use: .listener, number: $0, address: address, group: index, systemdName: name, file: copy.file)
          })
      }
    }
    if let admin, let adminAddress {
      let copy = try onLoop(parts.workers[0].loop) { () throws(Errno) in try admin.copyListener() }
      if let copy {
        copies.append(
          SocketCopy(copy: copy) { HandOver.Socket(use: .admin, number: $0, address: "\(adminAddress)") })
      }
    }
    if let control = parts.control {
      let copy = try onLoop(control.loop) { () throws(Errno) in try control.copyListener() }
      if let copy {
        copies.append(
          SocketCopy(copy: copy) {
            HandOver.Socket(use: .control, number: $0, address: "\(control.place)", file: copy.file)
          })
      }
    }
    return copies
  }

  /// What `work` gives on the thread of `loop`.
  private func onLoop<R: Sendable>(
    _ loop: EventLoop, _ work: @escaping @Sendable () throws(Errno) -> R
  ) throws(StartError) -> R {
    let result = Monitor<Result<R, Errno>?>(nil)
    loop.perform {
      let made = Result { () throws(Errno) in try work() }
      result.withLock { $0 = made }
      result.wakeAll()
    }
    switch result.wait(while: { $0 == nil }, milliseconds: Self.loopPatience, then: { $0 }) {
    case .success(let value)?: return value
    case .failure(let errno)?: throw StartError("the listening sockets cannot be copied: \(errno).")
    case nil: throw StartError("an event loop does not respond.")
    }
  }

  // MARK: The outcome

  private func end(_ outcome: UpgradeOutcome, because cause: String, took: Duration, _ done: Completion) {
    let logger = parts.logger
    switch outcome {
    case .done(let process, let program):
      logger.notice(
        .upgrade,
        [
          .reason: "\(cause)", .result: "ok", .took: .duration(took),
          .detail: "process \(process) serves in place of this one, process \(getpid()): \(program)",
        ])
    case .refused(let reason): failed("refused", [reason], because: cause)
    case .invalid(let reasons): failed("invalid", reasons, because: cause)
    case .failed(let reasons): failed("unavailable", reasons, because: cause)
    }
    done(outcome)
  }

  // So many lines of a long report are logged.
  private static let mostShown = 100

  private func failed(_ kind: String, _ reasons: [String], because cause: String) {
    lastFailure.withLock { $0 = (reasons, WallClock.now()) }
    for reason in reasons.prefix(Self.mostShown) {
      parts.logger.warning(
        .upgrade,
        [
          .reason: "\(cause)", .result: "failed", .error: "\(kind)", .detail: "\(reason)",
          .hint: "this process goes on as before",
        ])
    }
  }
}

/// The process that is to take the place of this one, before it does.
private final class Successor: Sendable {
  let process: pid_t
  /// What it says comes here.
  let output: Int32

  init(_ process: pid_t, _ output: consuming Descriptor) {
    self.process = process
    self.output = output.release()
  }

  deinit { close(output) }

  // How long it may take to end by itself after it has closed the pipe, in milliseconds.
  private static let grace: Int32 = 2_000

  /// Its status when it has ended, for which it has a moment; nil where it has not, and was killed.
  func end() -> Int32? {
    var status: Int32 = 0
    if unsafe clinux_wait_program(process, Self.grace, &status) == 1 { return status }
    kill()
    return nil
  }

  /// Ends it at once, if it has not ended.
  func kill() {
    _ = Glibc.kill(process, SIGKILL)
    var status: Int32 = 0
    unsafe _ = clinux_wait_program(process, Self.grace, &status)
  }
}

/// A pipe whose ends are closed on exec.
private struct Pipe: ~Copyable {
  private let reading: Int32
  private let writing: Descriptor
  private var isTaken = false

  init() throws(Errno) {
    var ends: [Int32] = [0, 0]
    _ = try Errno.check(unsafe clinux_pipe(&ends))
    reading = ends[0]
    writing = Descriptor(owning: ends[1])
  }

  deinit { if !isTaken { close(reading) } }

  /// The number of the end that the new process writes to.
  var writingEnd: Int32 { writing.number }

  mutating func takeReadingEnd() -> Descriptor {
    isTaken = true
    return Descriptor(owning: reading)
  }
}
