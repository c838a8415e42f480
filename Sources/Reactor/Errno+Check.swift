internal import Glibc
public import SystemPackage

extension Errno {
  /// The error of the last failed system call of this thread.
  public static var last: Errno { Errno(rawValue: errno) }

  /// `result`, unless it is negative: then the error that the call left behind.
  public static func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw last }
    return result
  }
}
