internal import Glibc
internal import Locks
internal import Reactor
internal import Secrets
internal import SystemPackage

/// Requests a reload when the file of proxy.conf has changed, if `reload: on_change` is set.
///
/// It watches directories instead of the file: editors rename another file over it, and Kubernetes swaps a link in its path.
// Sendable because all but `state` is touched on the thread of its loop only, once that runs.
final class ConfigurationWatch: @unchecked Sendable {
  private let path: String
  private let changed: @Sendable () -> Void
  private let state = Monitor<Running?>(nil)

  /// Saving a file is several changes; the last one is waited for, but not for long.
  private static let settling = Duration.milliseconds(100)

  private final class Running: @unchecked Sendable {
    let loop: EventLoop
    let watch: DirectoryWatch
    let timer = LoopTimer()
    var stamp: FileStamp

    init(_ path: String, _ changed: @escaping @Sendable () -> Void) throws(Errno) {
      let loop = try EventLoop()
      let timer = timer
      self.loop = loop
      stamp = FileStamp(path: path)
      watch = try DirectoryWatch { [unowned timer] in loop.set(timer, to: loop.now + settling) }
      watch.watch(Self.directories(of: path))
      timer.action = { [unowned self] in
        watch.watch(Self.directories(of: path))
        let now = FileStamp(path: path)
        // A file that is gone for a moment is about to be replaced.
        guard now != stamp, now.exists else { return }
        stamp = now
        changed()
      }
      try watch.start(on: loop)
      try loop.startThread(named: "reload-watch")
    }

    /// Ends the thread. Call it on that thread.
    func end() {
      timer.action = nil
      loop.retire(timer)
      loop.remove(watch)
      loop.stop()
    }

    /// The directory of `path`, and those of what its links lead to.
    private static func directories(of path: String) -> Set<String> {
      var directories = [directory(of: path)]
      if let real = unsafe realpath(path, nil) {
        directories.append(directory(of: unsafe String(cString: real)))
        unsafe free(real)
      }
      return Set(directories)
    }

    private static func directory(of path: String) -> String {
      guard let slash = path.lastIndex(of: "/") else { return "." }
      return slash == path.startIndex ? "/" : String(path[..<slash])
    }
  }

  /// - Parameter changed: called on a thread of its own.
  init(path: String, changed: @escaping @Sendable () -> Void) {
    self.path = path
    self.changed = changed
  }

  /// Watches from now on, or no longer.
  func set(isOn: Bool) throws(StartError) {
    let (path, changed) = (path, changed)
    let result: Result<Running?, Errno> = state.withLock { running in
      guard isOn != (running != nil) else { return .success(nil) }
      defer { if !isOn { running = nil } }
      guard isOn else { return .success(running) }
      do throws(Errno) { running = try Running(path, changed) } catch { return .failure(error) }
      return .success(nil)
    }
    switch result {
    case .success(let ended?):
      ended.loop.perform { ended.end() }
    case .success(nil): break
    case .failure(let errno): throw StartError("reload: \(path) cannot be watched for changes: \(errno).")
    }
  }
}
