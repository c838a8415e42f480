internal import CLinux
internal import Encodings
internal import Glibc
internal import Reactor
internal import Secrets
internal import SystemPackage

/// What a process tells the one that is to take its place: the sockets that it passes on, and as which descriptors.
///
/// A line for each, of a word and of fields, each a name, `=` and a percent-encoded value. Words and fields that a process does not
/// know have no meaning for it, so that versions can differ.
struct HandOver: Equatable {
  /// A socket that listens.
  struct Socket: Equatable {
    /// What it is for.
    enum Use: String {
      case listener, admin, control
    }

    let use: Use
    /// Its number in the new process.
    let number: Int32
    /// Its address as proxy.conf has it.
    let address: String
    /// Sockets with the same number belong to one item of `listen`.
    var group = 0
    /// What systemd calls it, where it is one of systemd's.
    var systemdName: String?
    /// Which file it has in the file system, for a Unix socket that this program made.
    var file: String?
  }

  /// The number of the process that passes them on.
  let process: pid_t
  /// Its version.
  let version: String
  /// The descriptor to which the new process writes what has become of it.
  let outcome: Int32
  /// The descriptor of the tokens that are valid now; nil where there are none.
  var tokens: Int32?
  var sockets: [Socket] = []

  /// The environment variable that names the descriptor of the text, behind the version of its form.
  static let variable = "M2M_PROXY_UPGRADE"
  /// A form that an older program would misunderstand gets another number.
  static let form = "1"

  /// The longest text that is read.
  static let longest = 4 * 1024 * 1024

  var text: String {
    var lines = [
      Self.line(
        "process",
        [
          ("pid", String(process)), ("version", version), ("outcome", String(outcome)),
          ("tokens", tokens.map(String.init)),
        ])
    ]
    lines += sockets.map { socket in
      Self.line(
        socket.use.rawValue,
        [
          ("fd", String(socket.number)), ("address", socket.address), ("group", String(socket.group)),
          ("systemd", socket.systemdName), ("file", socket.file),
        ])
    }
    return lines.joined()
  }

  init(process: pid_t, version: String, outcome: Int32, tokens: Int32? = nil, sockets: [Socket] = []) {
    (self.process, self.version, self.outcome) = (process, version, outcome)
    (self.tokens, self.sockets) = (tokens, sockets)
  }

  /// What `text` says; nil where it is not such a text.
  init?(_ text: String) {
    var process: (pid: pid_t, version: String, outcome: Int32, tokens: Int32?)?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let word = words.first, let fields = Self.fields(words.dropFirst()) else { return nil }
      if word == "process" {
        guard let pid = pid_t(fields["pid"] ?? ""), let outcome = Int32(fields["outcome"] ?? "") else { return nil }
        process = (pid, fields["version"] ?? "", outcome, fields["tokens"].flatMap { Int32($0) })
      } else if let use = Socket.Use(rawValue: String(word)) {
        guard let number = Int32(fields["fd"] ?? ""), let address = fields["address"],
          let group = Int(fields["group"] ?? "")
        else { return nil }
        sockets.append(
          Socket(
            use: use, number: number, address: address, group: group, systemdName: fields["systemd"],
            file: fields["file"]))
      }
    }
    guard let process else { return nil }
    (self.process, version, outcome, tokens) = (process.pid, process.version, process.outcome, process.tokens)
  }

  private static func line(_ word: String, _ fields: [(name: String, value: String?)]) -> String {
    var line = word
    for (name, value) in fields {
      guard let value else { continue }
      var bytes: [UInt8] = []
      for byte in value.utf8 { PercentEncoding.encodeForForm(byte) { bytes.append($0) } }
      line += " \(name)=\(String(decoding: bytes, as: UTF8.self))"
    }
    return line + "\n"
  }

  private static func fields(_ words: ArraySlice<Substring>) -> [String: String]? {
    var fields: [String: String] = [:]
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let bytes = PercentEncoding.decode(parts[1].utf8) else { return nil }
      fields[String(parts[0])] = String(decoding: bytes, as: UTF8.self)
    }
    return fields
  }
}

/// A file in memory that a process passes on, sealed: the new process knows by that that it is one.
struct MemoryFile: ~Copyable {
  let descriptor: Descriptor

  /// An empty one.
  init(_ name: String) throws(Errno) {
    descriptor = Descriptor(owning: try Errno.check(unsafe clinux_memory_file(name)))
  }

  /// Writes all of its content.
  borrowing func write(_ content: Span<UInt8>) throws(Errno) {
    var written = 0
    while written < content.count {
      let count = unsafe content.extracting(written...).withUnsafeBytes {
        unsafe Glibc.write(descriptor.number, $0.baseAddress, $0.count)
      }
      guard count > 0 else { throw .last }
      written += count
    }
    _ = try Errno.check(clinux_seal_memory_file(descriptor.number))
  }

  /// The content of the sealed file that `descriptor` is; nil where it is none, or too long.
  static func content(of descriptor: Int32) -> Secret? {
    var status = stat()
    guard clinux_is_sealed_memory_file(descriptor) == 1, unsafe fstat(descriptor, &status) == 0,
      status.st_size <= HandOver.longest
    else { return nil }
    var isWhole = true
    let content = Secret(count: Int(status.st_size)) { bytes in
      var read = 0
      let count = bytes.count
      unsafe bytes.withUnsafeMutableBytes { bytes in
        while read < count {
          let more = unsafe pread(descriptor, bytes.baseAddress! + read, count - read, off_t(read))
          guard more > 0 else { break }
          read += more
        }
      }
      isWhole = read == count
    }
    return isWhole ? content : nil
  }
}
