internal import Glibc
internal import Locks
internal import Secrets

/// How this process was started, as far as an upgrade has to do the same again.
public struct ProcessStart: Sendable {
  /// Where the program lies: the path by which it was started, made absolute. Links on it are followed when it is used, so that it
  /// leads to what lies there by then.
  let program: String
  /// What it was called with, the name of the program aside.
  let arguments: [String]
  /// What the manager of the service is told.
  let service: ServiceManager
  /// The process that this one takes the place of; nil where it is the first.
  public let predecessor: Predecessor?
  private let readsStandardInput: Bool

  /// How the process with these `arguments`, the name of the program being the first, was started.
  ///
  /// - Parameter readsStandardInput: whether its configuration came from there.
  public init(
    arguments: [String] = CommandLine.arguments, service: ServiceManager, predecessor: Predecessor?,
    readsStandardInput: Bool
  ) {
    program = Self.path(of: arguments.first ?? "") ?? Self.executable
    self.arguments = Array(arguments.dropFirst())
    (self.service, self.predecessor, self.readsStandardInput) = (service, predecessor, readsStandardInput)
  }

  /// Why no upgrade is possible, whatever the new program is; nil where one is.
  var obstacle: String? {
    if getpid() == 1 {
      return "The proxy is process 1, whose end would end its container. Start a new container in place of this one."
    }
    if readsStandardInput {
      return "The configuration came from standard input, which cannot be read again; start with --config FILE."
    }
    // systemd takes the end of the process that it has started for the end of the service, unless it is told otherwise.
    if let started = unsafe getenv("SYSTEMD_EXEC_PID"), unsafe String(cString: started) == String(getpid()),
      !service.isThere
    {
      return "systemd would end the service with this process; set Type=notify in the unit, and restart the service."
    }
    return nil
  }

  /// Why `binary` may not be started in place of the program for who asks; nil where it may.
  func complaint(about binary: String, isFromRoot: Bool) -> String? {
    if let complaint = ProgramFile.complaint(path: binary) { return "\(binary) \(complaint)." }
    guard binary != program else { return nil }
    var (known, other) = (stat(), stat())
    guard unsafe stat(binary, &other) == 0 else { return "\(binary) cannot be found." }
    // Who may change the program at its path may as well choose another one. The proxy hands its secrets to it.
    if !isFromRoot, geteuid() != 0 {
      guard unsafe stat(program, &known) == 0, known.st_uid == geteuid() else {
        return "Only root may name another binary: \(program) does not belong to the user of the proxy."
      }
    }
    guard other.st_uid == 0 || other.st_uid == geteuid(), other.st_mode & 0o022 == 0 else {
      return "\(binary) could be changed by other users: it must belong to root or to the user of the proxy, "
        + "with mode 0755 or less."
    }
    return nil
  }

  // MARK: The path

  /// The absolute path that the shell has found for `name`; nil where it is not that of this program.
  private static func path(of name: String) -> String? {
    var candidates: [String] = []
    if name.contains("/") {
      candidates = [name.hasPrefix("/") ? name : directory.map { "\($0)/\(name)" } ?? ""]
    } else if let path = unsafe getenv("PATH") {
      candidates = unsafe String(cString: path).split(separator: ":").map { "\($0)/\(name)" }
    }
    return candidates.first { $0.hasPrefix("/") && isSame($0, "/proc/self/exe") }
  }

  /// Where the kernel says that the program is.
  private static var executable: String {
    guard let resolved = unsafe realpath("/proc/self/exe", nil) else {
      var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      let count = unsafe readlink("/proc/self/exe", &text, Int(PATH_MAX))
      let path = String(decoding: text.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
      // As the kernel writes it where the file has been removed or replaced since.
      return path.hasSuffix(" (deleted)") ? String(path.dropLast(" (deleted)".count)) : path
    }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  private static var directory: String? {
    guard let path = unsafe getcwd(nil, 0) else { return nil }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }

  private static func isSame(_ one: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard unsafe stat(one, &first) == 0, unsafe stat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}

/// Whose turn it is: one at a time.
final class Turn: Sendable {
  private let isTaken = Monitor(false)

  /// Waits until it is the caller's.
  func take() { isTaken.wait(while: { $0 }) { $0 = true } }

  /// The next one's.
  func give() {
    isTaken.withLock { $0 = false }
    isTaken.wakeAll()
  }
}
