internal import Glibc

/// The sockets that systemd bound and passed to this process (sd_listen_fds(3)): descriptors from 3 on, as many as
/// LISTEN_FDS says, with the names in LISTEN_FDNAMES.
struct PassedSockets {
  /// One of them.
  struct Socket: Equatable {
    let name: String
    let number: Int32
  }

  /// Those that no listener has taken yet.
  private(set) var sockets: [Socket]
  /// Why there are none, for the error if one is expected.
  private let absence: String

  private static let first: Int32 = 3
  private static let most = 1024
  private static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]

  /// The sockets passed to this process. Removes the variables from the environment: they are not for child processes.
  ///
  /// Call it before opening any descriptor that could get one of these numbers.
  static func ofThisProcess() throws(StartError) -> PassedSockets {
    let passed = try PassedSockets(process: getpid()) { name in
      guard let value = unsafe getenv(name) else { return nil }
      return unsafe String(cString: value)
    }
    for name in variables { unsafe _ = unsetenv(name) }
    for socket in passed.sockets {
      var status = stat()
      guard unsafe fstat(socket.number, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
        throw StartError("systemd announced a socket \"\(socket.name)\", but descriptor \(socket.number) is not one.")
      }
    }
    return passed
  }

  /// What the environment of the process with the number `process` says.
  init(process: pid_t, variable: (String) -> String?) throws(StartError) {
    sockets = []
    guard let intended = variable("LISTEN_PID") else {
      absence = "LISTEN_PID is not set; start the .socket unit, which passes sockets to the .service of its name"
      return
    }
    guard intended == String(process) else {
      absence =
        "they were passed to process \(intended.prefix(20)), and this is \(process); a script that starts the proxy "
        + "must do so with exec"
      return
    }
    guard let count = Int32(variable("LISTEN_FDS") ?? ""), (0...Int32(Self.most)).contains(count) else {
      throw StartError("LISTEN_FDS, which systemd sets, is not a number of sockets.")
    }
    absence = "LISTEN_FDS is 0"
    let names = variable("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    if let names, names.count != count, count > 0 {
      throw StartError("LISTEN_FDNAMES, which systemd sets, has \(names.count) names for \(count) sockets.")
    }
    sockets = (0..<count).map { Socket(name: names?[Int($0)] ?? "unknown", number: Self.first + $0) }
  }

  /// Those that the process before this one had from systemd, and passes on.
  init(of predecessor: Predecessor) {
    sockets = predecessor.takeSystemdSockets()
    absence = "the process before this one had none; restart the service"
  }

  /// Those with this name.
  mutating func take(named name: String) throws(StartError) -> [Socket] {
    let taken = sockets.filter { $0.name == name }
    guard !taken.isEmpty else {
      let known = sockets.isEmpty ? "none was passed: \(absence)" : "those that were passed: \(list)"
      throw StartError("systemd:\(name): there is no socket of that name; \(known).")
    }
    sockets.removeAll { $0.name == name }
    return taken
  }

  /// All that are left.
  mutating func takeAll() throws(StartError) -> [Socket] {
    guard !sockets.isEmpty else { throw StartError("systemd: no socket was passed: \(absence).") }
    defer { sockets = [] }
    return sockets
  }

  /// Closes those that no listener has taken.
  mutating func closeRest() {
    for socket in sockets { close(socket.number) }
    sockets = []
  }

  /// - Throws: if there are sockets that no listener uses: clients that connect there would wait forever.
  func checkAllAreTaken() throws(StartError) {
    guard !sockets.isEmpty else { return }
    throw StartError(
      "systemd passed sockets that proxy.conf does not listen on: \(list); "
        + "\"systemd:NAME\" under listen takes those of a name, and \"systemd\" all that are left.")
  }

  private var list: String {
    var names: [String] = []
    for socket in sockets where !names.contains(socket.name) { names.append(socket.name) }
    return names.joined(separator: ", ")
  }
}

/// The limit of open files: two for every request under way.
enum DescriptorLimit {
  /// Raises the soft limit to the hard one; the default of 1,024 is for programs that use select.
  static func raise() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // Refused in some containers; then it stays as it was, and accepting pauses when it is reached.
    unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// How many descriptors there are for connections.
  static var forConnections: Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
    let all = Int(clamping: limit.rlim_cur)
    return max(1, all - min(beside, all / 4))
  }

  // Files, listeners, event loops, and the admin listener with its connections. Where there are few descriptors, a quarter.
  private static let beside = 128
}
