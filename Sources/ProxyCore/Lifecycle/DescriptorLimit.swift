internal import Glibc

/// The limit of open files: two for every request under way.
enum DescriptorLimit {
  /// Raises the soft limit to the hard one; the default of 1,024 is for programs that use select.
  static func raise() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // Refused in some containers; then it stays as it was, and accepting pauses when it is reached.
    unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
