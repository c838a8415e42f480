internal import Bytes
public import Configuration
internal import Telemetry

/// How much memory buffers and connections may take, and who says so.
public struct MemoryBound: Sendable, CustomStringConvertible {
  /// The bound in bytes; nil for none.
  public let bytes: Int?
  /// One line for a person.
  public let description: String

  // What the program takes beside that: its own data, what is lost between blocks, and the kernel's share of it.
  private static let program = 8 * 1024 * 1024
  // With less nothing can be served.
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
  /// Shows what is taken of the memory.
  func show(_ account: MemoryAccount) {
    gauge("m2m_proxy_memory_bytes", help: "Memory that buffers and connections take.") { Double(account.taken) }
    gauge("m2m_proxy_memory_limit_bytes", help: "Memory that buffers and connections may take; +Inf for no limit.") {
      account.limit.map(Double.init) ?? .infinity
    }
    gauge("m2m_proxy_memory_level", help: "How close that is: 0 plenty of room, 1 near the limit, 2 tight, 3 full.") {
      Double(account.level.rawValue)
    }
  }
}
