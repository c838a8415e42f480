internal import CLinux
internal import Glibc
internal import Locks

/// What keeps other processes of the same user out of this one's memory, where the secrets are.
///
/// The kernel refuses them to read the memory and the environment, and to trace the process (`PR_SET_DUMPABLE`), unless they have
/// CAP_SYS_PTRACE; no core dump is written; and what the process starts gains no privileges (`PR_SET_NO_NEW_PRIVS`). A kernel or
/// a sandbox that refuses one of these is no reason not to serve. See docs/decisions/0020-process.md.
public enum ProcessHardening {
  /// One of the protections.
  public enum Protection: String, CaseIterable, Sendable {
    /// Other processes cannot read memory and environment.
    case memory
    /// No core dump is written.
    case coreDumps = "core_dumps"
    /// No program that is started gains privileges.
    case privileges

    var text: String {
      switch self {
      case .memory: "memory closed to other processes"
      case .coreDumps: "no core dumps"
      case .privileges: "no new privileges"
      }
    }
  }

  private struct State {
    var refusals: [Protection: Int32] = [:]
    /// The soft limit of the size of core dumps that the process was started with.
    var coreLimit: rlim_t?
  }

  private static let state = Monitor(State())

  /// Has proxy.conf's `hardening` take effect at start. To be called before any other thread exists, since privileges are a
  /// matter of each thread, and before any program is started.
  public static func begin(_ isOn: Bool) {
    if isOn, clinux_gain_no_privileges() != 0 { note(.privileges, errno) }
    change(to: isOn)
  }

  /// Has a changed setting take effect, but for privileges, which stay as they are until the process starts again.
  static func change(to isOn: Bool) {
    note(.memory, clinux_set_open_to_others(isOn ? 0 : 1) == 0 ? 0 : errno)
    note(.coreDumps, limitCoreDumps(isOn) ? 0 : errno)
  }

  /// The protections that are in force, by what the kernel says of the process and the calling thread.
  public static var inForce: [Protection] {
    Protection.allCases.filter { protection in
      switch protection {
      case .memory: clinux_is_open_to_others() == 0
      // A program that the kernel pipes core dumps to gets them whatever the limit is, but none of a process like this.
      case .coreDumps: coreLimit.rlim_cur == 0 && clinux_is_open_to_others() == 0
      case .privileges: clinux_gains_no_privileges() == 1
      }
    }
  }

  /// What is in force, for people: `memory closed to other processes, no core dumps, no new privileges`.
  public static var text: String {
    let texts = inForce.map(\.text)
    return texts.isEmpty ? "open to other processes of this user" : texts.joined(separator: ", ")
  }

  /// What the kernel has refused, as sentences.
  public static var warnings: [String] {
    state.withLock { state in
      Protection.allCases.compactMap { protection in
        guard let error = state.refusals[protection] else { return nil }
        return
          "hardening: the kernel, or a sandbox, refuses \"\(protection.text)\": \(unsafe String(cString: strerror(error)))"
      }
    }
  }

  // The hard limit stays: the soft one has to be raised again when proxy.conf says so.
  private static func limitCoreDumps(_ isOn: Bool) -> Bool {
    var limit = coreLimit
    let former = state.withLock { state in
      if state.coreLimit == nil { state.coreLimit = limit.rlim_cur }
      return state.coreLimit!
    }
    limit.rlim_cur = isOn ? 0 : min(former, limit.rlim_max)
    return unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0
  }

  private static var coreLimit: rlimit {
    var limit = rlimit()
    // It fails for no resource that exists.
    unsafe _ = getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    return limit
  }

  private static func note(_ protection: Protection, _ error: Int32) {
    state.withLock { $0.refusals[protection] = error == 0 ? nil : error }
  }
}
