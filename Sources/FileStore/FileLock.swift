internal import Glibc
internal import SystemPackage
internal import Tokens

/// A lock on a file, which nobody else has until it ends. The kernel ends it with the process, however that ends.
final class FileLock: TokenClaim {
  private let descriptor: FileDescriptor

  /// The lock on the open file `descriptor`, which it owns from then on; nil while somebody else has it.
  init?(_ descriptor: FileDescriptor) throws(Errno) {
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      let failure = Errno(rawValue: errno)
      try? descriptor.close()  // Nothing was written.
      if failure == .wouldBlock { return nil }
      throw failure
    }
    self.descriptor = descriptor
  }

  /// Gives it back at once: what the kernel does when the last reference to the open file goes would wait for ours.
  func end() { _ = flock(descriptor.rawValue, LOCK_UN) }

  func release() async { end() }

  deinit { try? descriptor.close() }  // Nothing was written.
}
