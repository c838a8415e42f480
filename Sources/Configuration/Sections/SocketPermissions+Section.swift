import Glibc

extension SocketPermissions {
  /// The settings that are about the file of a Unix socket.
  static let names = ["mode", "owner", "group"]

  /// Reads them from the section of a listener.
  static func read(_ section: Section) -> SocketPermissions {
    var permissions = SocketPermissions()
    section.read("mode", .fileMode, into: &permissions.mode)
    permissions.owner = section["owner"].flatMap { identifier($0, "user", of: user) }
    permissions.group = section["group"].flatMap { identifier($0, "group", of: group) }
    return permissions
  }

  /// The number of the user or group that `setting` names; nil after a problem was noted.
  private static func identifier(_ setting: Setting, _ kind: String, of name: (String) -> UInt32?) -> UInt32? {
    guard let text = setting.value(Format<String>.line("the name or number of a \(kind)")) else { return nil }
    // The highest number means "leave it as it is" to chown.
    if let number = wholeNumber(text), let id = UInt32(exactly: number), id != .max { return id }
    guard let id = name(text) else {
      setting.complain("names the \(kind) \(displayed(text)), which this machine does not know")
      return nil
    }
    return id
  }

  private static func user(_ name: String) -> UInt32? {
    guard let entry = unsafe getpwnam(name) else { return nil }
    return unsafe entry.pointee.pw_uid
  }

  private static func group(_ name: String) -> UInt32? {
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }
}

extension Format<UInt32> {
  /// Permission bits of a socket as chmod takes them: `0660`.
  static var fileMode: Self {
    Format("permissions in octal such as 0660") { text throws(Refusal) in
      let isOctal = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
      guard isOctal, (3...4).contains(text.utf8.count), let mode = UInt32(text, radix: 8) else { throw Refusal() }
      guard mode <= 0o777 else { throw Refusal("three digits, for the owner, the group and all others") }
      guard mode & 0o222 != 0 else { throw Refusal("whoever connects needs the permission to write (2)") }
      return mode
    }
  }
}
