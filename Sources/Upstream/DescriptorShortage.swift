internal import Glibc
internal import Reactor
internal import SystemPackage

/// Whether a connection failed for want of descriptors, which libcurl reports as one failure or another.
enum DescriptorShortage {
  /// Whether there is no descriptor for a new socket at this moment.
  static var isPresent: Bool {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number < 0 else {
      _ = Descriptor(owning: number)
      return false
    }
    return Errno.last.isShortage
  }
}
