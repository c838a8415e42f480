package import Glibc
import SystemPackage

/// Names of users and groups, and who is in a group.
package enum Accounts {
  /// `alice (uid 1000)`, or `uid 1000` where the user has no name.
  package static func name(ofUser user: uid_t) -> String { name(user).map { "\($0) (uid \(user))" } ?? "uid \(user)" }

  /// `staff (gid 50)`, or `gid 50` where the group has no name.
  static func name(ofGroup group: gid_t) -> String {
    entry(group).map { "\($0.name) (gid \(group))" } ?? "gid \(group)"
  }

  /// What `chown` takes for the user.
  package static func word(forUser user: uid_t) -> String { name(user) ?? String(user) }

  /// Whether `user` is, as far as this machine knows, the only member of the group, which must be one of this
  /// process's.
  ///
  /// So are the groups that systems make for each user, with the user's name, and those of containers, which have a number
  /// and nothing else. The group 0 is not: platforms for containers give it to all users that they make up.
  static func isPrivate(group: gid_t, of user: uid_t) -> Bool {
    guard group != 0, group == getegid() || supplementary().contains(group) else { return false }
    let own = name(user)
    if let entry = entry(group) {
      guard let own, entry.name == own, entry.members.allSatisfy({ $0 == own }) else { return false }
    }
    return !isPrimary(group, ofAnotherThan: user)
  }

  private static func supplementary() -> [gid_t] {
    let count = getgroups(0, nil)
    guard count > 0 else { return [] }
    var groups = [gid_t](repeating: 0, count: Int(count))
    let filled = unsafe getgroups(count, &groups)
    return Array(groups.prefix(max(0, Int(filled))))
  }

  /// Whether /etc/passwd has a user of the group other than `user` and root.
  private static func isPrimary(_ group: gid_t, ofAnotherThan user: uid_t) -> Bool {
    let lines: [Substring]
    do {
      lines = try SensitiveFile.read(path: "/etc/passwd", limit: 16 * 1024 * 1024) { bytes, _ in
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self).split(separator: "\n")
      }
    } catch {
      // A container may have none; any other failure leaves the question open.
      return error != .unreadable(reason: Errno.noSuchFileOrDirectory.description, permission: false)
    }
    return lines.contains { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count > 3, gid_t(fields[3]) == group, let other = uid_t(fields[2]) else { return false }
      return other != user && other != 0
    }
  }

  private static func name(_ user: uid_t) -> String? {
    unsafe withMemory { memory, size, failure in
      var entry = unsafe passwd()
      var found: UnsafeMutablePointer<passwd>?
      failure = unsafe getpwuid_r(user, &entry, memory, size, &found)
      guard failure == 0, unsafe found != nil, let name = unsafe entry.pw_name else { return nil }
      return unsafe String(cString: name)
    }
  }

  private static func entry(_ number: gid_t) -> (name: String, members: [String])? {
    unsafe withMemory { memory, size, failure in
      var entry = unsafe group()
      var found: UnsafeMutablePointer<group>?
      failure = unsafe getgrgid_r(number, &entry, memory, size, &found)
      guard failure == 0, unsafe found != nil, let name = unsafe entry.gr_name else { return nil }
      var members: [String] = []
      var next = unsafe entry.gr_mem
      while let current = unsafe next, let member = unsafe current.pointee {
        unsafe members.append(String(cString: member))
        unsafe next = current.advanced(by: 1)
      }
      return unsafe (String(cString: name), members)
    }
  }

  /// Calls `body` with memory for an entry, and with more of it while that is too little.
  private static func withMemory<R>(
    _ body: (UnsafeMutablePointer<CChar>, _ size: Int, _ failure: inout Int32) -> R?
  ) -> R? {
    // A group of a directory service may have thousands of members.
    for size in [1 << 10, 1 << 14, 1 << 18, 1 << 22] {
      let memory = UnsafeMutablePointer<CChar>.allocate(capacity: size)
      defer { unsafe memory.deallocate() }
      var failure: Int32 = 0
      let result = unsafe body(memory, size, &failure)
      if failure != ERANGE { return result }
    }
    return nil
  }
}
