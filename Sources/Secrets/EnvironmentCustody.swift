internal import CLinux
import Glibc
internal import Locks
public import SystemPackage

/// The environment that the process was started with.
///
/// It is kept once, as a secret, for as long as the process lives: proxy.conf may name a variable for the first time when it is
/// loaded again. What holds secrets is taken out of where the C library and /proc/PID/environ have it. A process that takes this
/// one's place (an upgrade) is given all of it by a descriptor, and not by its environment.
public enum EnvironmentCustody {
  /// The variable that names the descriptor from which ``receive()`` reads.
  public static let descriptorVariable = "M2M_PROXY_ENVIRONMENT_FD"

  // The kernel passes 6 MB of arguments and environment at most (execve(2)).
  static let sizeLimit = 8 << 20

  private static let kept = Monitor<Environment?>(nil)

  /// The environment that the process, or the one whose place it took, was started with.
  public static var environment: Environment {
    kept.withLock { kept in
      if let kept { return kept }
      let current = unsafe Environment(entries: environ)
      kept = current
      return current
    }
  }

  /// Takes the environment from the descriptor that ``descriptorVariable`` names, and closes it; where that is not set, the one
  /// of this process. To be called once, before any thread exists, and before ``environment`` is used.
  public static func receive() throws(HandOverError) {
    let own = unsafe Environment(entries: environ)
    guard let text = own[descriptorVariable] else { return kept.withLock { $0 = own } }
    unsafe _ = unsetenv(descriptorVariable)
    guard let number = Int32(text), number > STDERR_FILENO else {
      throw HandOverError("is not the number of a descriptor")
    }
    let environment = try receive(from: FileDescriptor(rawValue: number))
    kept.withLock { $0 = environment }
  }

  /// A descriptor from which a process that takes this one's place can ``receive()`` the environment. It is closed by exec: the
  /// new process has to get a copy without that flag, and its number in ``descriptorVariable``. The caller closes this one.
  public static func handOver() throws(Errno) -> FileDescriptor { try handOver(environment) }

  static func handOver(_ environment: Environment) throws(Errno) -> FileDescriptor {
    let descriptor = environment.block.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe clinux_seal("m2m-proxy environment", $0.baseAddress, $0.count) }
    }
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: descriptor)
  }

  /// Reads what ``handOver()`` wrote, and closes `descriptor` if it is one of that kind.
  static func receive(from descriptor: FileDescriptor) throws(HandOverError) -> Environment {
    let size = clinux_sealed_size(descriptor.rawValue)
    guard size >= 0 else { throw HandOverError("is not a descriptor that m2m-proxy has passed") }
    defer { close(descriptor.rawValue) }
    guard size <= sizeLimit else { throw HandOverError("leads to more than \(sizeLimit >> 20) MB") }
    let block = try Secret(count: size) { bytes throws(HandOverError) in
      var count = 0
      while count < size {
        // The position is shared with the process that has written.
        let got = unsafe bytes.withUnsafeMutableBytes {
          unsafe pread(descriptor.rawValue, $0.baseAddress! + count, size - count, off_t(count))
        }
        guard got > 0 || got < 0 && errno == EINTR else {
          throw HandOverError(
            "cannot be read from: \(got == 0 ? "it ends early" : unsafe String(cString: strerror(errno)))")
        }
        count += max(0, got)
      }
    }
    guard block.withBytes({ bytes in bytes.isEmpty || bytes[bytes.count - 1] == 0 }) else {
      throw HandOverError("leads to something else than an environment")
    }
    return Environment(block: block)
  }

  /// Overwrites the values of variables where the C library and /proc/PID/environ have them; ``environment`` keeps them. What
  /// libraries and service managers need stays, whatever is asked for.
  ///
  /// - Parameter removing: whether the variables are taken out of the C library's environment as well, which must not be done
  ///   once there are threads that may read it.
  public static func hide(_ names: some Sequence<String>, removing: Bool) {
    // A copy has to be there first.
    _ = environment
    for name in names where !EnvironmentPolicy.isNeededByLibraries(name) {
      unsafe wipe(name, in: environ)
      if removing { unsafe _ = unsetenv(name) }
    }
  }

  static func wipe(_ name: String, in entries: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    unsafe clinux_wipe_variable(entries, name)
  }
}

/// Which variables are for whom.
public enum EnvironmentPolicy {
  /// What programs that print secrets are given, as far as it is set: what most programs need to find their files, to speak the
  /// user's language, and to reach a server.
  public static let ofPrograms: [String] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "TZ", "LANG", "LANGUAGE", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy",
    "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY",
  ]

  /// Names that begin so are for programs too.
  static let prefixesOfPrograms = ["LC_"]

  // What service managers mean for this process alone, what the loader, the C library and sanitizers read, and libraries when
  // they are used.
  private static let prefixesOfLibraries = [
    "LISTEN_", "WATCHDOG_", "LD_", "GLIBC_", "MALLOC_", "SWIFT_", "ASAN_", "LSAN_", "TSAN_", "UBSAN_", "LLVM_",
  ]
  private static let ofLibraries: Set = [
    "NOTIFY_SOCKET", "MAINPID", "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE",
    "OPENSSL_MODULES", "OPENSSL_ENGINES", "OPENSSL_ia32cap", "OPENSSL_armcap", "CURL_SSL_BACKEND", "KRB5_CONFIG",
  ]

  /// Whether a library, or the service manager, may look for the variable in the process's environment at any time.
  static func isNeededByLibraries(_ name: String) -> Bool {
    isOfPrograms(name) || ofLibraries.contains(name) || prefixesOfLibraries.contains { name.hasPrefix($0) }
  }

  /// Whether every program gets the variable.
  static func isOfPrograms(_ name: String) -> Bool {
    ofPrograms.contains(name) || prefixesOfPrograms.contains { name.hasPrefix($0) }
  }
}

/// Why the environment of the process before this one cannot be taken over.
public struct HandOverError: Error, Equatable, CustomStringConvertible {
  /// One sentence about ``EnvironmentCustody/descriptorVariable``.
  public let description: String

  init(_ complaint: String) { description = "\(EnvironmentCustody.descriptorVariable) \(complaint)" }
}

extension Environment {
  /// What `entries` has: an array of `NAME=value` that ends with nil.
  init(entries: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    var lengths: [Int] = []
    if let entries = unsafe entries {
      while let entry = unsafe entries[lengths.count] { lengths.append(unsafe strlen(entry) + 1) }
    }
    let block = Secret(count: lengths.reduce(0, +)) { bytes in
      var begin = 0
      for (index, length) in lengths.enumerated() {
        _ = unsafe bytes.withUnsafeMutableBytes { unsafe memcpy($0.baseAddress! + begin, entries![index]!, length) }
        begin += length
      }
    }
    self.init(block: block)
  }
}
