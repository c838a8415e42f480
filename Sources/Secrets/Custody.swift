package import Glibc
import SystemPackage

/// Whether a user other than root and this process's user could change or replace a file or directory.
///
/// As with `StrictModes` of OpenSSH, all directories from the file up to the root count, after links are resolved, and also the
/// directories that contain the links. Three kinds of directory are accepted too: one with the sticky bit, where only owners
/// remove or rename entries; one on a read-only mount; and one that is writable by a group whose only member is this process's
/// user.
package struct Custody {
  /// What other users must not be able to do.
  package enum Guard {
    /// Neither write nor read, unless they are in the file's group: it contains a secret.
    case secret
    /// Write: the file says what to trust, and everyone may read it.
    case trust
  }

  /// The user of this process.
  let user: uid_t
  /// Whether messages may show paths that are not written in proxy.conf: a variable with a secret may be part of a path.
  let showsPaths: Bool
  /// Another user whose files are accepted.
  private let other: uid_t?

  package init(user: uid_t = geteuid(), showsPaths: Bool = true, alsoTrusting other: uid_t? = nil) {
    self.user = user
    self.showsPaths = showsPaths
    self.other = other
  }

  /// What is wrong with a file; to follow its name.
  ///
  /// - Parameter descriptor: The file, if it is open.
  func complaint(file status: stat, path: String, descriptor: Int32? = nil, as kind: Guard = .secret) -> String? {
    if let complaint = complaint(owner: status.st_uid, path: path) { return complaint }
    let mode = status.st_mode & 0o7777
    if let complaint = complaint(mode: mode, path: path, as: kind) { return complaint }
    // With an access list, the group bits are the maximum that the list grants to anyone but the owner (acl(5)).
    let hasAccessList = AccessList.isThere(descriptor: descriptor, path: path)
    if mode & (kind == .secret ? 0o060 : 0o020) != 0, hasAccessList == true {
      let right = mode & 0o020 != 0 ? "written" : "read"
      return
        "has an access list by which other users may be able to have it \(right) (mode \(octal(mode))); "
        + "\(command("setfacl -b", path)) removes that"
    }
    if mode & 0o020 != 0,
      kind == .secret || hasAccessList != false || !Accounts.isPrivate(group: status.st_gid, of: user)
    {
      let remedy = command(kind == .secret ? "chmod 600" : "chmod g-w", path)
      return "can be written by its group (mode \(octal(mode))); \(remedy) fixes that"
    }
    let real = resolved(path)
    let above = real.removingLastComponent()
    guard let name = real.lastComponent?.string, let directory = try? OpenDirectory(path: above.string),
      let now = try? directory.status(of: name), now.st_dev == status.st_dev, now.st_ino == status.st_ino
    else { return "was moved or replaced while it was read, or is in a directory that this process cannot search" }
    return complaint(directory: directory, path: above) ?? complaint(linksOf: path)
  }

  /// What is wrong with the permission bits for all users; to follow the file's name.
  func complaint(everyone status: stat, path: String, as kind: Guard) -> String? {
    complaint(mode: status.st_mode & 0o7777, path: path, as: kind)
  }

  private func complaint(mode: mode_t, path: String, as kind: Guard) -> String? {
    switch kind {
    case .secret where mode & 0o007 != 0:
      "is open to every user of this machine (mode \(octal(mode))); \(command("chmod 600", path)) fixes that"
    case .trust where mode & 0o002 != 0:
      "can be written by every user of this machine (mode \(octal(mode))); \(command("chmod go-w", path)) fixes that"
    default: nil
    }
  }

  /// What is wrong with a directory that only this process's user may enter; to follow its name.
  func complaint(private status: stat, path: String) -> String? {
    if status.st_uid != user { return belongsToAnother(status.st_uid, path: path) }
    guard status.st_mode & 0o077 != 0 else { return nil }
    return "is open to other users (mode \(octal(status.st_mode & 0o7777))); \(command("chmod 700", path)) fixes that"
  }

  /// What is wrong with the directory at `path`, or with one above it, for a file created there; to follow the file's name.
  func complaint(directory: consuming OpenDirectory, path: String) -> String? {
    complaint(directory: directory, path: resolved(path)) ?? complaint(linksOf: path)
  }

  /// What is wrong with the directories above the one at `path`; to follow its name.
  func complaint(above directory: borrowing OpenDirectory, path: String) -> String? {
    do throws(Errno) {
      return complaint(directory: try directory.parent(), path: resolved(path).removingLastComponent())
        ?? complaint(linksOf: path)
    } catch {
      return "is in a directory that cannot be examined: \(error)"
    }
  }

  /// What is wrong with the symbolic links in the path, and with the directories that `..` leaves: if another user can replace
  /// one of them, the path leads where that user wants.
  private func complaint(linksOf path: String) -> String? {
    do throws(Errno) {
      for turn in try PathTurns.all(on: path) {
        let directory = try OpenDirectory(path: turn.directory.string)
        if let complaint = complaint(turn, in: directory) { return complaint }
        if let complaint = complaint(directory: directory, path: turn.directory, way: "is reached by a link") {
          return complaint
        }
      }
      return nil
    } catch {
      return "is reached by a link that cannot be examined: \(error)"
    }
  }

  /// The sticky bit keeps others from replacing an entry, but not its owner.
  private func complaint(_ turn: PathTurns.Turn, in directory: borrowing OpenDirectory) -> String? {
    guard !directory.isReadOnly else { return nil }
    do throws(Errno) {
      guard try directory.status().st_mode & 0o022 != 0 else { return nil }
      let owner = try directory.status(of: turn.name).st_uid
      guard owner != 0, owner != user, owner != other else { return nil }
      let place = turn.directory.appending(turn.name).string
      return
        "is reached by \(showsPaths ? "the" : "a") link or directory\(shown(place)), which \(ownership(owner)): "
        + "\(Accounts.name(ofUser: owner)) could put another one in its place; "
        + "\(command("chown -h \(Accounts.word(forUser: user))", place)) fixes that"
    } catch {
      return "is reached by a link that cannot be examined: \(error)"
    }
  }

  private func complaint(directory: consuming OpenDirectory, path: FilePath, way: String = "is") -> String? {
    var path = path
    var word = "in"
    // Upwards by descriptor: the path cannot be changed meanwhile.
    while true {
      do throws(Errno) {
        let status = try directory.status()
        if !directory.isReadOnly, let complaint = complaint(directory, status, path: path.string) {
          return "\(way) \(word) \(complaint)"
        }
        let parent = try directory.parent()
        let above = try parent.status()
        if above.st_dev == status.st_dev, above.st_ino == status.st_ino { return nil }
        directory = parent
      } catch {
        return
          "\(way) \(word) the directory\(shown(path.string)), and that or one above it cannot be examined: \(error)"
      }
      path.removeLastComponent()
      word = "below"
    }
  }

  private func complaint(_ directory: borrowing OpenDirectory, _ status: stat, path: String) -> String? {
    let name = "\(showsPaths ? "the" : "a") directory\(shown(path))"
    if status.st_uid != 0, status.st_uid != user, status.st_uid != other {
      return "\(name), which \(isUnderAnother(status.st_uid))"
    }
    let mode = status.st_mode & 0o7777
    guard mode & 0o1000 == 0 else { return nil }
    let others: (name: String, change: String)
    let hasAccessList = mode & 0o022 == 0o020 ? directory.hasAccessList : false
    if mode & 0o002 != 0 {
      others = ("every user of this machine", "chmod go-w")
    } else if mode & 0o020 != 0, hasAccessList == true {
      others = ("a user or group of its access list", "setfacl -b")
    } else if mode & 0o020 != 0, hasAccessList == nil || !Accounts.isPrivate(group: status.st_gid, of: user) {
      others = ("the group \(Accounts.name(ofGroup: status.st_gid))", "chmod g-w")
    } else {
      return nil
    }
    let danger = "where \(others.name) could put another one in its place (mode \(octal(mode)))"
    return "\(name), \(danger); \(command(others.change, path)) fixes that"
  }

  private func complaint(owner: uid_t, path: String) -> String? {
    owner == 0 || owner == user || owner == other ? nil : belongsToAnother(owner, path: path)
  }

  private func belongsToAnother(_ owner: uid_t, path: String) -> String {
    let remedy = "\(command("chown \(Accounts.word(forUser: user))", path)) fixes that"
    // Root can become any user, and the other user may want the file like this.
    let way = user == 0 ? ", or run m2m-proxy as \(Accounts.word(forUser: owner))" : ""
    return "\(ownership(owner)); \(remedy)\(way)"
  }

  /// A directory above may be the home of a user: giving it to another user would do harm.
  private func isUnderAnother(_ owner: uid_t) -> String {
    let way = user == 0 ? "run m2m-proxy as \(Accounts.word(forUser: owner)), or " : ""
    return "\(ownership(owner)); \(way)move it to a directory of root or of the user that m2m-proxy runs as"
  }

  private func ownership(_ owner: uid_t) -> String {
    "belongs to \(Accounts.name(ofUser: owner)), and m2m-proxy runs as \(user == 0 ? "root" : Accounts.name(ofUser: user))"
  }

  // MARK: Words

  private func octal(_ mode: UInt32) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private func shown(_ path: String) -> String { showsPaths ? " \(path)" : "" }

  /// `verb` and the path, quoted for a shell.
  private func command(_ verb: String, _ path: String) -> String {
    showsPaths ? "\(verb) \(path.asShellWord)" : verb
  }

  /// The absolute path without links; unchanged if nothing exists there.
  private func resolved(_ path: String) -> FilePath {
    guard let real = unsafe realpath(path, nil) else { return FilePath(path) }
    defer { unsafe free(real) }
    return unsafe FilePath(String(cString: real))
  }
}

extension String {
  /// The text as one word of a shell's command line, quoted if necessary.
  package var asShellWord: String {
    let needsQuotes = utf8.contains { byte in
      // Most characters below "+" have a meaning; those from "+" to "9" have none.
      byte < UInt8(ascii: "+") || ";<>?[\\]^`{|}~".utf8.contains(byte) || byte == 0x7F
    }
    guard needsQuotes || isEmpty else { return self }
    return "'\(split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
  }
}

/// The directory entries that decide where a path leads, and that its resolved form does not show: symbolic links, and
/// directories that `..` leaves.
private enum PathTurns {
  struct Turn: Equatable {
    /// The directory that contains it, by a path without links.
    let directory: FilePath
    let name: String
  }

  /// The number of links that Linux follows.
  private static let mostLinks = 40

  /// Those on `path`, without duplicates.
  static func all(on path: String) throws(Errno) -> [Turn] {
    guard let start = unsafe realpath(".", nil) else { throw Errno(rawValue: errno) }
    defer { unsafe free(start) }
    let path = FilePath(path)
    var here = path.isAbsolute ? FilePath("/") : unsafe FilePath(String(cString: start))
    var rest = Array(path.components.reversed())
    var turns: [Turn] = []
    var links = 0
    func note(_ name: String, in directory: FilePath) {
      let turn = Turn(directory: directory, name: name)
      if !turns.contains(turn) { turns.append(turn) }
    }
    while let component = rest.popLast() {
      switch component.kind {
      case .currentDirectory: continue
      case .parentDirectory:
        let left = here.lastComponent
        here.removeLastComponent()
        if let left { note(left.string, in: here) }
        continue
      case .regular: break
      }
      guard let target = try target(of: here.appending(component)) else {
        here.append(component)
        continue
      }
      links += 1
      guard links <= mostLinks else { throw .tooManySymbolicLinkLevels }
      note(component.string, in: here)
      if target.isAbsolute { here = FilePath("/") }
      rest += target.components.reversed()
    }
    return turns
  }

  /// Where the link at `path` leads; nil if it is not a link, or nothing exists there.
  private static func target(of path: FilePath) throws(Errno) -> FilePath? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = unsafe readlink(path.string, &bytes, bytes.count - 1)
    if count >= 0 { return FilePath(String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)) }
    // EINVAL: not a link.
    guard errno == EINVAL || errno == ENOENT else { throw Errno(rawValue: errno) }
    return nil
  }
}
