internal import Bytes
public import Configuration
internal import Glibc
internal import Telemetry

/// How much memory buffers and connections may take, and what sets the limit.
public struct MemoryBound: Sendable, CustomStringConvertible {
  /// The bound in bytes; nil for none.
  public let bytes: Int?
  /// One line for a person.
  public let description: String

  // What the program takes besides: its own data, fragmentation, and the kernel's part.
  private static let program = 8 * 1024 * 1024
  // With less, the proxy cannot serve anything.
  private static let least = 4 * 1024 * 1024

  /// The bound that `limit` stands for in this process.
  public init(_ limit: MemoryLimit) {
    self.init(limit, in: { ControlGroupMemory.ofThisProcess() })
  }

  init(_ limit: MemoryLimit, in controlGroup: () -> ControlGroupMemory?) {
    switch limit {
    case .off:
      self.init(nil, "no limit (limits.memory: off)")
    case .bytes(let bytes):
      self.init(bytes, "\(Self.text(bytes)) for buffers and connections (limits.memory)")
    case .automatic:
      guard let group = controlGroup() else {
        self.init(nil, "no limit: limits.memory is not set, and no control group limits this process")
        return
      }
      let bytes = max(Self.least, (group.limit - Self.program) / 4 * 3)
      self.init(
        bytes,
        "\(Self.text(bytes)) for buffers and connections: three quarters of what \(group.file) leaves beside the program "
          + "(\(Self.text(group.limit)) - \(Self.text(Self.program)))")
    }
  }

  private init(_ bytes: Int?, _ description: String) {
    self.bytes = bytes
    self.description = description
  }

  private static func text(_ bytes: Int) -> String {
    bytes >= 1 << 20 ? "\(bytes >> 20) MB" : "\(bytes >> 10) KB"
  }
}

extension MetricsRegistry {
  /// Exposes how much of the memory is taken.
  func show(_ account: MemoryAccount) {
    read(.memory) { Double(account.taken) }
    read(.memoryLimit) { account.limit.map(Double.init) ?? .infinity }
    read(.memoryLevel) { Double(account.level.rawValue) }
  }
}

/// The memory limit of the control group that the process is in.
struct ControlGroupMemory: Hashable {
  /// The limit in bytes.
  var limit: Int
  /// The file that has the limit.
  var file: String

  /// The lowest limit of this process's group and of the groups around it; nil if none has one.
  static func ofThisProcess() -> ControlGroupMemory? {
    least { path in
      guard let file = unsafe fopen(path, "re") else { return nil }
      defer { unsafe fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let count = unsafe fread(&bytes, 1, bytes.count, file)
      return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
  }

  /// The lowest limit in the files; `read` returns the content of a file, or nil if there is none.
  static func least(_ read: (String) -> String?) -> ControlGroupMemory? {
    let mounts = (read("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap(Mount.init)
    var found: ControlGroupMemory?
    for line in (read("/proc/self/cgroup") ?? "").split(separator: "\n") {
      // A number, controllers, and a path, which may contain colons (cgroups(7)). Version 2 has no controllers here.
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isVersion2 = fields[0] == "0" && fields[1].isEmpty
      guard isVersion2 || fields[1].split(separator: ",").contains("memory") else { continue }
      let name = isVersion2 ? "memory.max" : "memory.limit_in_bytes"
      for mount in mounts where mount.isVersion2 == isVersion2 {
        for directory in mount.directories(ofGroup: String(fields[2])) {
          let file = "\(directory)/\(name)"
          guard let limit = read(file).flatMap(Self.limit), limit < found?.limit ?? .max else { continue }
          found = ControlGroupMemory(limit: limit, file: file)
        }
      }
    }
    return found
  }

  /// The number in a file; nil for "max", and for the number that stands for no limit in version 1, which is near 2^63.
  private static func limit(_ text: String) -> Int? {
    guard let number = Int(text.split(separator: "\n").first ?? ""), number > 0, number < 1 << 60 else { return nil }
    return number
  }

  /// A mounted hierarchy of control groups, as a line of /proc/self/mountinfo (proc(5)).
  private struct Mount {
    let isVersion2: Bool
    /// The group that is mounted: in a container often its own.
    let root: String
    let point: String

    init?(_ line: Substring) {
      let fields = line.split(separator: " ")
      guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count > separator + 3 else { return nil }
      switch fields[separator + 1] {
      case "cgroup2": isVersion2 = true
      case "cgroup" where fields[separator + 3].split(separator: ",").contains("memory"): isVersion2 = false
      default: return nil
      }
      root = Self.unescaped(fields[3])
      point = Self.unescaped(fields[4])
    }

    /// The directory of `group` and those above it, up to where the hierarchy is mounted.
    func directories(ofGroup group: String) -> [String] {
      var below = group
      if root != "/" {
        // A mount does not show groups outside of it; its own limit holds for everything inside.
        below = group == root || group.hasPrefix(root + "/") ? String(group.dropFirst(root.count)) : ""
      }
      var parts = below.split(separator: "/").map(String.init)
      if parts.contains("..") { parts = [] }
      return (0...parts.count).map { count in ([point] + parts.prefix(count)).joined(separator: "/") }
    }

    /// `text` with `\040` and similar escapes, for spaces, tabs, line ends and backslashes, replaced.
    private static func unescaped(_ text: Substring) -> String {
      var bytes: [UInt8] = []
      var rest = text.utf8[...]
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\"), let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
          bytes.append(code)
          rest = rest.dropFirst(3)
        } else {
          bytes.append(byte)
        }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}
