internal import Glibc
public import SystemPackage

/// Reports changes in a directory (inotify(7)): a file was written, renamed into it or removed.
public final class DirectoryWatch: Watch {
  private let descriptor: Descriptor
  private let changed: () -> Void
  private var directories: [String: Int32] = [:]

  // Covers how editors save a file, and how Kubernetes replaces a volume's contents. IN_ATTRIB and IN_MODIFY would report every
  // access and every single write.
  private static let events = UInt32(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)

  /// A watch without directories.
  ///
  /// - Parameter changed: called once per batch of changes, on the thread of the loop that it is started on.
  public init(changed: @escaping () -> Void) throws(Errno) {
    descriptor = Descriptor(owning: try Errno.check(inotify_init1(Int32(O_CLOEXEC | O_NONBLOCK))))
    self.changed = changed
    super.init()
  }

  /// Watches exactly `directories` from now on, as far as they exist.
  public func watch(_ directories: Set<String>) {
    for (directory, number) in self.directories where !directories.contains(directory) {
      _ = inotify_rm_watch(descriptor.number, number)
      self.directories[directory] = nil
    }
    // Add all of them again: a name may refer to another directory now, and an unchanged one keeps its number.
    for directory in directories {
      let number = unsafe inotify_add_watch(descriptor.number, directory, Self.events)
      self.directories[directory] = number >= 0 ? number : nil
    }
  }

  /// Reports changes on the thread of `loop` from now on.
  public func start(on loop: EventLoop) throws(Errno) {
    try loop.register(self, descriptor: descriptor.number, interest: .readable)
  }

  public override func signal(_ readiness: Readiness) {
    // The files themselves show what has changed, so the events are only drained.
    unsafe withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 8) { buffer in
      while unsafe read(descriptor.number, buffer.baseAddress, buffer.count) > 0 {}
    }
    changed()
  }
}
