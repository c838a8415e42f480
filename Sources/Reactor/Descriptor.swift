internal import Glibc
public import SystemPackage

/// A file descriptor with exactly one owner: closed when the owner releases it, and never twice.
public struct Descriptor: ~Copyable {
  /// The number the kernel knows it by; valid as long as this value lives.
  public let number: Int32

  /// Takes ownership of `number`: no other code may close it from now on.
  public init(owning number: Int32) {
    self.number = number
  }

  /// Gives up ownership: the caller closes the number.
  public consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }

  /// Lets the socket's connection end with a reset when it is closed.
  public borrowing func resetOnClose() {
    // Lingering for no time at all makes the kernel send RST (socket(7), SO_LINGER).
    var linger = linger(l_onoff: 1, l_linger: 0)
    let length = socklen_t(MemoryLayout<linger>.size)
    unsafe _ = setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, length)
  }

  deinit {
    // Linux frees the number whatever close answers, so there is nothing to retry and nothing to report.
    _ = close(number)
  }
}

extension Errno {
  /// The error of the last failed system call of this thread.
  public static var last: Errno { Errno(rawValue: errno) }

  /// `result`, unless it is negative: then the error that the call left behind.
  public static func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw last }
    return result
  }
}

extension Errno {
  /// Whether the kernel has no descriptor, or no memory for its object: the same call may work a moment later.
  public var isShortage: Bool {
    switch self {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace: true
    default: false
    }
  }
}
