internal import Encodings
import Glibc
internal import Locks
public import Secrets

/// The secrets of a client, which may change without a restart: files are read again for every fetch; programs are run
/// again from time to time, and when the server rejects the secret that they printed.
///
/// Two secrets can be configured during a rotation; ``TokenFetch`` uses the one that works.
public final class ClientSecrets: Sendable {
  /// Which of the two secrets.
  public enum Place: String, Hashable, Sendable {
    /// `client_secret`.
    case current
    /// `client_secret_previous`.
    case previous
  }

  /// A source, and the secret that was last read from it.
  public struct Entry: Sendable {
    /// Where the secret comes from.
    public let source: SecretSource
    /// The secret.
    public let secret: Secret

    /// An entry that was just read.
    public init(source: SecretSource, secret: Secret) {
      self.source = source
      self.secret = secret
    }
  }

  /// The result of reading the sources.
  package struct Reading {
    /// The secrets in the order in which they are tried.
    package var secrets: [(place: Place, secret: Secret)] = []
    /// What could not be read; the previous secret is used then.
    package var problems: [SecretError] = []
    /// Changes whenever a secret changes.
    package var generation = 0
  }

  private struct Held {
    var entries: [(place: Place, entry: Entry)]
    var generation = 0
    /// When the programs were last started, whether or not they have ended.
    var lastRun: TokenInstant
    var lastRunFailed = false
    var isRunning = false
    var runsEnded = 0

    mutating func beginRun(at now: TokenInstant, after pause: Duration) -> Bool {
      guard !isRunning, lastRun.duration(to: now) >= pause else { return false }
      lastRun = now
      isRunning = true
      return true
    }

    mutating func set(_ secret: Secret, at index: Int) {
      guard secret != entries[index].entry.secret else { return }
      generation += 1
      entries[index].entry = Entry(source: entries[index].entry.source, secret: secret)
    }
  }

  private struct ProgramEntry {
    let index: Int
    let program: SecretProgram
  }

  private let held: Monitor<Held>
  private let programs: [ProgramEntry]
  private let onProgramProblem: @Sendable (SecretError) -> Void

  /// The secrets as read when the configuration was loaded, at `loaded`.
  ///
  /// - Parameter onProgramProblem: called, on any thread, when a program did not print a secret; the one that it
  ///   printed before is used.
  public init(
    current: Entry, previous: Entry? = nil, loaded: TokenInstant = TokenClock.system.now,
    onProgramProblem: @escaping @Sendable (SecretError) -> Void = { _ in }
  ) {
    let entries = [(Place.current, current)] + (previous.map { [(.previous, $0)] } ?? [])
    programs = entries.enumerated().compactMap { index, entry in
      guard case .program(let program) = entry.1.source else { return nil }
      return ProgramEntry(index: index, program: program)
    }
    self.onProgramProblem = onProgramProblem
    held = Monitor(Held(entries: entries, lastRun: loaded))
  }

  /// Reads all files, which takes as long as small files take. Secrets from other sources stay as they are.
  package func read() -> Reading {
    held.withLock { held in
      var reading = Reading()
      for index in held.entries.indices {
        let (place, entry) = held.entries[index]
        if case .file = entry.source {
          do throws(SecretError) { held.set(try entry.source.read(environment: [:]), at: index) } catch {
            reading.problems.append(error)
          }
        }
        reading.secrets.append((place, held.entries[index].entry.secret))
      }
      reading.generation = held.generation
      return reading
    }
  }

  /// Whether `other` reads the same sources.
  public func isSame(as other: ClientSecrets) -> Bool {
    self === other || sources == other.sources
  }

  private var sources: [SecretSource] { held.withLock { $0.entries.map(\.entry.source) } }

  // MARK: Programs

  // A program that failed is not run again sooner, unless the server rejects the secret.
  private static let pauseAfterFailure = Duration.seconds(60)
  // The shortest time between two runs after rejections.
  private static let shortestPause = Duration.seconds(1)

  /// Starts to run the programs in the background if it is time to. Until they end, the secrets that they printed
  /// before are used.
  func refreshIfDue(at now: TokenInstant) {
    guard let shortest = programs.map(\.program.refresh).min() else { return }
    let isDue = held.withLock { held in
      held.beginRun(at: now, after: held.lastRunFailed ? min(shortest, Self.pauseAfterFailure) : shortest)
    }
    if isDue { launch() }
  }

  /// Runs the programs, and waits at most `limit` for this run, or the one under way, to end. Returns at once if there
  /// are none, or they were run a moment ago.
  func rerun(at now: TokenInstant, within limit: Duration) async {
    guard !programs.isEmpty, limit > .zero else { return }
    let (begins, awaited) = held.withLock { held in
      let begins = held.beginRun(at: now, after: Self.shortestPause)
      return (begins, held.isRunning ? held.runsEnded : nil)
    }
    if begins { launch() }
    guard let awaited else { return }
    let milliseconds = Int((min(limit, .seconds(3600)) / .milliseconds(1)).rounded(.up))
    await withCheckedContinuation { continuation in
      let isWaiting = BackgroundThread.run {
        self.held.wait(while: { $0.runsEnded == awaited }, milliseconds: milliseconds) { _ in }
        continuation.resume()
      }
      if !isWaiting { continuation.resume() }
    }
  }

  private func launch() {
    if !BackgroundThread.run({ self.runPrograms() }) {
      finish(problems: [
        SecretError(
          source: programs[0].program.description, reason: .program("was not started: there is no thread for it"))
      ])
    }
  }

  private func runPrograms() {
    var problems: [SecretError] = []
    for (entry, result) in zip(programs, SecretProgram.run(programs.map(\.program))) {
      switch result {
      case .success(let secret): held.withLock { $0.set(secret, at: entry.index) }
      case .failure(let error): problems.append(error)
      }
    }
    finish(problems: problems)
  }

  private func finish(problems: [SecretError]) {
    held.withLock { held in
      held.lastRunFailed = !problems.isEmpty
      held.isRunning = false
      held.runsEnded += 1
    }
    problems.forEach(onProgramProblem)
    held.wakeAll()
  }
}

/// Builds a secret in memory that is wiped afterwards, and never moved while it grows.
@safe struct SecretWriter: ~Copyable {
  // Owned by this value only.
  private let storage: UnsafeMutableBufferPointer<UInt8>
  private let capacity: Int
  private(set) var count = 0

  /// Room for `capacity` bytes: appending more is a programming error.
  init(capacity: Int) {
    self.capacity = capacity
    unsafe storage = UnsafeMutableBufferPointer.allocate(capacity: capacity)
    unsafe storage.initialize(repeating: 0)
  }

  deinit {
    if let start = unsafe storage.baseAddress { unsafe explicit_bzero(start, capacity) }
    unsafe storage.deallocate()
  }

  mutating func append(_ byte: UInt8) {
    precondition(count < capacity, "a secret outgrew the room computed for it")
    unsafe storage[count] = byte
    count += 1
  }

  mutating func append(_ text: String) {
    for byte in text.utf8 { append(byte) }
  }

  mutating func append(formEncoding text: String) {
    for byte in text.utf8 { append(formEncoding: byte) }
  }

  mutating func append(formEncoding bytes: Span<UInt8>) {
    for position in bytes.indices { append(formEncoding: bytes[position]) }
  }

  private mutating func append(formEncoding byte: UInt8) {
    PercentEncoding.encodeForForm(byte) { append($0) }
  }

  /// What was written.
  consuming func secret() -> Secret {
    unsafe Secret(Span(_unsafeElements: UnsafeBufferPointer(storage).extracting(0..<count)))
  }
}
