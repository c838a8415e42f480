import Glibc

/// Linux's statistics of this process.
///
/// A value that cannot be read, for instance without `/proc`, is not a number, and is exposed as such.
struct ProcessFigures {
  /// User and system CPU time of the process, in seconds.
  static var cpuSeconds: Double {
    var time = timespec()
    guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .nan }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Memory in use, in bytes.
  static var residentMemory: Double {
    guard let pages = statistics(24) else { return .nan }
    return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// Address space in use, in bytes.
  static var virtualMemory: Double { statistics(23) ?? .nan }

  /// When the process was started, in seconds since 1970.
  static var startTime: Double {
    guard let ticks = statistics(22), let boot = bootTime else { return .nan }
    return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// File descriptors in use.
  static var openDescriptors: Double {
    guard let directory = unsafe opendir("/proc/self/fd") else { return .nan }
    defer { unsafe closedir(directory) }
    var entries = 0.0
    while unsafe readdir(directory) != nil { entries += 1 }
    // Not counted: "." and "..", and the descriptor that reads the directory.
    return entries - 3
  }

  /// How many file descriptors the process may open.
  static var descriptorLimit: Double {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .nan }
    return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
  }

  // The field `number` of /proc/self/stat, counted from 1 as in proc(5); the second is the name of the program, which
  // may contain anything and ends with the last parenthesis.
  private static func statistics(_ number: Int) -> Double? {
    guard let text = contents(of: "/proc/self/stat"), let name = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: name)...].split(separator: " ")
    return number - 3 < fields.count ? Double(fields[number - 3]) : nil
  }

  private static var bootTime: Double? {
    let lines = contents(of: "/proc/stat")?.split(separator: "\n")
    return lines?.first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst("btime ".count)) }
  }

  private static func contents(of path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let received = unsafe read(descriptor, &chunk, chunk.count)
      if received == 0 { return String(decoding: contents, as: UTF8.self) }
      if received > 0 {
        contents += chunk[..<received]
      } else if errno != EINTR {
        return nil
      }
    }
  }
}

extension MetricsRegistry {
  /// Registers the process metrics that every Prometheus client library exposes, under the same names.
  public func registerProcessMetrics() {
    read(.processCPU) { ProcessFigures.cpuSeconds }
    read(.processResidentMemory) { ProcessFigures.residentMemory }
    read(.processVirtualMemory) { ProcessFigures.virtualMemory }
    read(.processOpenDescriptors) { ProcessFigures.openDescriptors }
    read(.processDescriptorLimit) { ProcessFigures.descriptorLimit }
    let started = ProcessFigures.startTime
    read(.processStartTime) { started }
  }
}
