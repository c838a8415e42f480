internal import Glibc
public import SystemPackage

/// A file descriptor with exactly one owner: closed once, when the owner releases it.
public struct Descriptor: ~Copyable {
  /// Its number, valid as long as this value lives.
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

  /// Makes closing the socket reset the connection.
  public borrowing func resetOnClose() {
    // A linger time of zero makes the kernel send RST (socket(7), SO_LINGER).
    var linger = linger(l_onoff: 1, l_linger: 0)
    let length = socklen_t(MemoryLayout<linger>.size)
    unsafe _ = setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, length)
  }

  deinit {
    // Linux frees the number whatever close returns, so there is nothing to retry and nothing to report.
    _ = close(number)
  }
}

extension Errno {
  /// The error of this thread's last failed system call.
  public static var last: Errno { Errno(rawValue: errno) }

  /// Returns `result`, or throws the current error if it is negative.
  public static func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw last }
    return result
  }
}

extension Errno {
  /// Whether the kernel lacks a descriptor, or memory for its object: the same call may succeed a moment later.
  public var isShortage: Bool {
    switch self {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace: true
    default: false
    }
  }
}
