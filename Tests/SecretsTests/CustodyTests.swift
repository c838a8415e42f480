import Foundation
import SystemPackage
import Testing

@testable import Secrets

private let isRoot = geteuid() == 0
private let needsRoot: Comment = "only root can give files away"

/// The permission bits of the file at `path`; nil if there is none.
private func bits(of path: String) -> mode_t? {
  var status = stat()
  return unsafe stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
}

/// A file in the directory `low`, which is in the directory `high`, in the temporary one; all are this process's user's.
private final class Place {
  let high: String
  let low: String
  let file: String

  init() throws {
    high = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/custody-\(UUID().uuidString)"
    (low, file) = ("\(high)/low", "\(high)/low/file")
    for path in [high, low] { #expect(unsafe mkdir(path, 0o700) == 0) }
    try Data("secret".utf8).write(to: URL(filePath: file))
    #expect(unsafe chmod(file, 0o600) == 0)
  }

  deinit { try? FileManager.default.removeItem(atPath: high) }

  /// What is wrong with the file, with the paths of the directories shortened.
  func complaint(
    _ custody: Custody = Custody(), path: String? = nil, as kind: Custody.Guard = .secret
  ) throws -> String? {
    var status = stat()
    #expect(unsafe stat(path ?? file, &status) == 0)
    return custody.complaint(file: status, path: path ?? file, as: kind)?.replacing(high, with: "HIGH")
  }
}

@Suite("A file is in good hands")
struct CustodyTests {
  private let place: Place

  init() throws { place = try Place() }

  @Test("when only its owner can write it, and only its group read it", arguments: [0o600, 0o400, 0o640, 0o440])
  func goodModes(mode: mode_t) throws {
    #expect(unsafe chmod(place.file, mode) == 0)
    #expect(try place.complaint() == nil)
  }

  @Test(
    "and not when others can read or write it",
    arguments: [
      (mode_t(0o644), "is open to every user of this machine (mode 0644); chmod 600 HIGH/low/file fixes that"),
      (0o602, "is open to every user of this machine (mode 0602); chmod 600 HIGH/low/file fixes that"),
      (0o660, "can be written by its group (mode 0660); chmod 600 HIGH/low/file fixes that"),
    ])
  func badModes(mode: mode_t, complaint: String) throws {
    #expect(unsafe chmod(place.file, mode) == 0)
    #expect(try place.complaint() == complaint)
  }

  @Test("that only says what to trust, when others can read it but not write it")
  func trust() throws {
    for mode in [mode_t(0o644), 0o444, 0o755] {
      #expect(unsafe chmod(place.file, mode) == 0)
      #expect(try place.complaint(as: .trust) == nil)
    }
    #expect(unsafe chmod(place.file, 0o666) == 0)
    let complaint = "can be written by every user of this machine (mode 0666); chmod go-w HIGH/low/file fixes that"
    #expect(try place.complaint(as: .trust) == complaint)
    guard case .byEveryone? = SensitiveFile.tampering(path: place.file, showsPaths: true) else {
      Issue.record("what everyone can write is no mere possibility")
      return
    }
    #expect(unsafe chmod(place.file, 0o644) == 0 && chmod(place.low, 0o777) == 0)
    #expect(try place.complaint(as: .trust)?.hasPrefix("is in the directory HIGH/low, where every user") == true)
    guard case .possible? = SensitiveFile.tampering(path: place.file, showsPaths: true) else {
      Issue.record("a file that can be replaced is worth a warning")
      return
    }
  }

  @Test("and not when a group can write it that has other members", .enabled(if: isRoot, needsRoot))
  func trustedGroups() throws {
    #expect(unsafe chmod(place.file, 0o664) == 0)
    #expect(
      try place.complaint(as: .trust)
        == "can be written by its group (mode 0664); chmod g-w HIGH/low/file fixes that")
  }

  @Test("when others can remove nothing from the directories that it is in", arguments: [0o755, 0o711, 0o1777, 0o3777])
  func goodDirectories(mode: mode_t) throws {
    for path in [place.low, place.high] { #expect(unsafe chmod(path, mode) == 0) }
    #expect(try place.complaint() == nil)
  }

  @Test("and not when they can, in any of these", arguments: [0o777, 0o2777, 0o702])
  func badDirectories(mode: mode_t) throws {
    let end =
      "where every user of this machine could put another one in its place (mode 0\(String(mode, radix: 8))); chmod go-w"
      .replacing("(mode 02777)", with: "(mode 2777)")
    #expect(unsafe chmod(place.low, mode) == 0)
    #expect(try place.complaint() == "is in the directory HIGH/low, \(end) HIGH/low fixes that")
    #expect(unsafe chmod(place.low, 0o755) == 0 && chmod(place.high, mode) == 0)
    #expect(try place.complaint() == "is below the directory HIGH, \(end) HIGH fixes that")
    #expect(
      try place.complaint(Custody(showsPaths: false))?.hasSuffix(
        "(mode \(mode == 0o2777 ? "" : "0")\(String(mode, radix: 8))); chmod go-w fixes that") == true)
  }

  @Test(
    "and not when a group can that is another's or root's", .enabled(if: isRoot, needsRoot),
    arguments: [gid_t(0), 65533])
  func groups(group: gid_t) throws {
    #expect(unsafe chown(place.low, 0, group) == 0 && chmod(place.low, 0o775) == 0)
    let complaint = try #require(try place.complaint())
    #expect(complaint.hasPrefix("is in the directory HIGH/low, where the group "))
    #expect(complaint.contains("gid \(group)") && complaint.hasSuffix("(mode 0775); chmod g-w HIGH/low fixes that"))
  }

  @Test("and not when it, or a directory, is another user's", .enabled(if: isRoot, needsRoot))
  func owners() throws {
    func complaint(giving path: String) throws -> String? {
      #expect(unsafe chown(path, 65533, 0) == 0)
      defer { unsafe _ = chown(path, 0, 0) }
      return try place.complaint()
    }
    #expect(
      try complaint(giving: place.file)
        == "belongs to uid 65533, and m2m-proxy runs as root; chown root HIGH/low/file fixes that, or run m2m-proxy as 65533"
    )
    // The directory may hold other things of that user: its owner stays.
    let end =
      "which belongs to uid 65533, and m2m-proxy runs as root; run m2m-proxy as 65533, or move it to a directory of root or "
      + "of the user that m2m-proxy runs as"
    #expect(try complaint(giving: place.low) == "is in the directory HIGH/low, \(end)")
    #expect(try complaint(giving: place.high) == "is below the directory HIGH, \(end)")
  }

  @Test("when it is root's or this user's, for any user", .enabled(if: isRoot, needsRoot))
  func users() throws {
    let user = Custody(user: 65533)
    #expect(try place.complaint(user) == nil)
    for path in [place.file, place.low, place.high] { #expect(unsafe chown(path, 65533, 0) == 0) }
    #expect(try place.complaint(user) == nil)
    #expect(
      try place.complaint(Custody(user: 65531))
        == "belongs to uid 65533, and m2m-proxy runs as uid 65531; chown 65531 HIGH/low/file fixes that")
  }

  @Test("where links lead to, and where they are")
  func links() throws {
    let other = try Place()
    #expect(unsafe symlink(place.low, "\(other.low)/link") == 0)
    #expect(unsafe symlink("low/../low/link", "\(other.high)/second") == 0)
    for path in ["\(other.low)/link/file", "\(other.high)/second/file"] {
      #expect(unsafe chmod(other.low, 0o755) == 0)
      #expect(try place.complaint(path: path) == nil)
      #expect(unsafe chmod(other.low, 0o777) == 0)
      let complaint = try place.complaint(path: path)
      #expect(complaint?.hasPrefix("is reached by a link in the directory \(other.low), where every user") == true)
    }
    #expect(unsafe chmod(other.low, 0o755) == 0 && chmod(place.low, 0o777) == 0)
    #expect(try place.complaint(path: "\(other.low)/link/file")?.hasPrefix("is in the directory HIGH/low") == true)
  }

  @Test("and it is the open file that counts, not another one that takes its place")
  func replaced() throws {
    #expect(unsafe chmod(place.file, 0o644) == 0)
    let path = place.file
    let exposures = try SensitiveFile.read(path: path, limit: 100) { _, file in
      let first = file.exposure
      unsafe _ = rename(path, path + ".old")
      _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
      return [first, file.exposure]
    }
    #expect(exposures.allSatisfy { $0?.hasPrefix("is open to every user of this machine (mode 0644)") == true })
    #expect(unsafe chmod("\(path).old", 0o600) == 0 && rename("\(path).old", path) == 0)
    let exposure = try SensitiveFile.read(path: path, limit: 100) { _, file in
      unsafe _ = rename(path, path + ".old")
      _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
      return file.exposure
    }
    #expect(exposure?.hasPrefix("was moved or replaced while it was read") == true)
  }

  @Test("which a command restores that a shell understands")
  func quoting() throws {
    let path = "\(place.low)/it's a file"
    #expect(unsafe rename(place.file, path) == 0 && chmod(path, 0o644) == 0)
    #expect(try place.complaint(path: path)?.contains(#"chmod 600 'HIGH/low/it'\''s a file' fixes that"#) == true)
  }
}

@Suite("A directory is taken for a secret")
struct TakenDirectoryTests {
  private let place: Place

  init() throws { place = try Place() }

  private func take(_ path: String) -> (complaint: String?, before: mode_t?) {
    var before: mode_t?
    do throws(SensitiveDirectory.Failure) {
      _ = try SensitiveDirectory.take(path: path, isOurs: { $0 == "file" }, onChange: { before = $0.st_mode & 0o7777 })
      return (nil, before)
    } catch {
      switch error {
      case .failed(let errno): return ("\(errno)", before)
      case .exposed(let complaint): return (complaint.replacing(place.high, with: "HIGH"), before)
      }
    }
  }

  @Test("by making it")
  func made() {
    let path = "\(place.low)/new"
    #expect(take(path) == (nil, nil) && bits(of: path) == 0o700)
    #expect(take("\(place.low)/no/where").complaint == "No such file or directory")
    #expect(take(place.file).complaint == "Not a directory")
  }

  @Test("by closing it to others, if there is nothing of others in it", arguments: [0o755, 0o777, 0o750, 0o1777])
  func closed(mode: mode_t) throws {
    #expect(unsafe chmod(place.low, mode) == 0)
    #expect(take(place.low) == (nil, mode) && bits(of: place.low) == 0o700)
    #expect(take(place.low) == (nil, nil), "nothing is changed then")
    #expect(unsafe chmod(place.low, mode) == 0 && mkdir("\(place.low)/else", 0o700) == 0)
    let complaint = try #require(take(place.low).complaint)
    #expect(complaint.hasPrefix("is open to other users") && complaint.hasSuffix("other files in it, such as else"))
    #expect(bits(of: place.low) == mode)
  }

  @Test("from another user, by root", .enabled(if: isRoot, needsRoot))
  func taken() {
    #expect(unsafe chown(place.low, 65533, 65533) == 0)
    #expect(take(place.low) == (nil, 0o700))
    var status = stat()
    #expect(unsafe stat(place.low, &status) == 0 && status.st_uid == 0)
  }

  @Test("and not below one where others could exchange it")
  func below() {
    #expect(unsafe chmod(place.high, 0o777) == 0)
    #expect(take(place.low).complaint?.hasPrefix("is in the directory HIGH, where every user of this machine") == true)
  }
}

@Suite("A secret is written")
struct SensitiveWriteTests {
  private let place: Place

  init() throws { place = try Place() }

  private func write(replaces: Bool, keepsOwner: Bool = false) throws {
    let directory = try OpenDirectory(path: place.low)
    try SensitiveFile.write(
      "new".utf8Span.span, to: "file", in: directory, mode: 0o600, replaces: replaces, keepsOwner: keepsOwner)
  }

  @Test("with its mode, whatever there was", arguments: [0o600, 0o644, 0o666, 0o660, 0o4755])
  func modes(mode: mode_t) throws {
    #expect(unsafe chmod(place.file, mode) == 0)
    #expect(throws: SensitiveFile.WriteFailure.exists) { try write(replaces: false) }
    try write(replaces: true)
    #expect(bits(of: place.file) == 0o600)
    #expect(try String(contentsOfFile: place.file, encoding: .utf8) == "new")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.low) == ["file"], "nothing is left behind")
  }

  @Test("as this user's, unless it keeps its owner", .enabled(if: isRoot, needsRoot), arguments: [true, false])
  func owners(keepsOwner: Bool) throws {
    #expect(unsafe chown(place.file, 65533, 65533) == 0 && chmod(place.file, 0o640) == 0)
    try write(replaces: true, keepsOwner: keepsOwner)
    var status = stat()
    #expect(unsafe stat(place.file, &status) == 0)
    #expect(status.st_uid == (keepsOwner ? 65533 : 0) && status.st_mode & 0o7777 == (keepsOwner ? 0o640 : 0o600))
  }

  @Test("in place of a link, not through it")
  func links() throws {
    #expect(unsafe rename(place.file, "\(place.high)/target") == 0 && symlink("\(place.high)/target", place.file) == 0)
    try write(replaces: true)
    #expect(try String(contentsOfFile: "\(place.high)/target", encoding: .utf8) == "secret")
    var status = stat()
    #expect(unsafe lstat(place.file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG)
  }
}
