internal import CLinux
internal import Encodings
internal import Glibc
internal import Reactor
internal import SystemPackage

/// Sends commands to a running process. It blocks for a bounded time: it is for commands, not for an event loop.
public struct ControlClient: Sendable {
  /// The response of a process.
  public struct Reply: Sendable {
    /// The kind of result; nil for a status that this program does not know.
    public let kind: ControlOutcome.Kind?
    /// The body without its last line end, safe to print on a terminal.
    public let text: String
    /// Where the process was found.
    public let place: ControlPlace

    /// The number in the member `name` of the JSON object in the body.
    public func number(_ name: String) -> Int? {
      let bytes = Array(text.utf8)
      guard let object = try? JSONObject(bytes.span), case .number(let range)? = object[name] else { return nil }
      return Int(String(decoding: bytes[range], as: UTF8.self))
    }
  }

  /// Why there is no response.
  public enum Failure: Error, Sendable {
    /// No process responds at any of the places; a reason for each place that has one.
    case noProcess([String])
    /// A process was found, but did not respond as it should; the reason in a few words.
    case noReply(ControlPlace, String)
  }

  /// The places to try, in order.
  public let places: [ControlPlace]
  private let user: UInt32

  // The longest response is the text of a reload of a file with many problems.
  private static let longestReply = 4 * 1024 * 1024

  /// A client that tries `places`, on behalf of `user`.
  public init(_ places: [ControlPlace], user: UInt32 = ControlPlace.thisUser) {
    self.places = places
    self.user = user
  }

  /// Sends a request and waits for the response; `patience` bounds the whole call.
  public func send(_ method: String, _ target: String, patience: Duration) throws(Failure) -> Reply {
    let deadline = Instant.now + patience
    let connection = try connect(until: deadline)
    let (number, place) = (connection.number, connection.place)
    let closed = "it closed the connection without a response" + connection.reason(for: user)
    let late = Failure.noReply(place, "no response in \(patience.inWords)")
    let request = Array("\(method) \(target) HTTP/1.1\r\nHost: m2m-proxy\r\nConnection: close\r\n\r\n".utf8)
    let sent = unsafe Glibc.send(number, request, request.count, Int32(MSG_NOSIGNAL))
    guard sent == request.count else { throw .noReply(place, closed) }
    var received: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      guard deadline > .now else { throw late }
      clinux_limit_waiting(number, Self.milliseconds(until: deadline))
      let count = unsafe recv(number, &piece, piece.count, 0)
      if count == 0 { break }
      guard count > 0 else {
        if Errno.last == .interrupted { continue }
        throw Errno.last == .wouldBlock ? late : .noReply(place, closed)
      }
      received += piece[..<count]
      guard received.count <= Self.longestReply else { throw .noReply(place, "the response is too long") }
    }
    guard let reply = Self.reply(received, from: place) else {
      throw .noReply(place, received.isEmpty ? closed : "the response is cut off")
    }
    return reply
  }

  /// A descriptor that becomes readable when the process ends; nil if the kernel provides none.
  public func processEnd(patience: Duration) throws(Failure) -> ProcessEnd? {
    let connection = try connect(until: .now + patience)
    let number = clinux_open_peer_process(connection.number)
    return number < 0 ? nil : ProcessEnd(Descriptor(owning: number))
  }

  // MARK: Parts

  private func connect(until deadline: Instant) throws(Failure) -> Connection {
    var reasons: [String] = []
    for place in places {
      let number = unsafe clinux_connect_unix(place.systemName, Self.milliseconds(until: deadline))
      guard number >= 0 else {
        switch Errno.last {
        case .noSuchFileOrDirectory, .connectionRefused, .notDirectory: break
        case .permissionDenied: reasons.append("\(place) may not be used by this user (uid \(user))")
        case let errno: reasons.append("\(place): \(errno)")
        }
        continue
      }
      var connection = Connection(Descriptor(owning: number), to: place)
      var owner: UInt32 = 0
      guard unsafe clinux_peer_user(number, &owner) == 0 else {
        reasons.append("\(place): \(Errno.last)")
        continue
      }
      if let complaint = complaint(about: place, of: owner) {
        reasons.append("\(place) \(complaint)")
        continue
      }
      connection.owner = owner
      return connection
    }
    throw .noProcess(reasons)
  }

  /// Why a process of `owner` at `place` cannot be trusted; nil if it can.
  func complaint(about place: ControlPlace, of owner: UInt32) -> String? {
    if owner == user || owner == 0 { return nil }
    guard user == 0 else { return "is of another user (uid \(owner)), who may not be trusted" }
    guard case .file(let path) = place else {
      return "is of another user (uid \(owner)), and any user can take that name; run the command as that user"
    }
    // Root controls processes of other users. If only trusted users may write to the directory, one of them made the socket.
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var status = stat()
    guard unsafe stat(directory, &status) == 0, status.st_mode & 0o002 == 0 else {
      return
        "is of another user (uid \(owner)), in a directory where every user may write; run the command as that user"
    }
    return nil
  }

  /// Parses the response in `bytes`; nil if it is not complete.
  static func reply(_ bytes: [UInt8], from place: ControlPlace) -> Reply? {
    let blank = Array("\r\n\r\n".utf8)
    guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: blank) }) else { return nil }
    let head = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    let body = bytes[(end + blank.count)...]
    let parts = (head.first ?? "").split(separator: " ", maxSplits: 2)
    guard parts.count >= 2, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else { return nil }
    let length = head.compactMap { line -> Int? in
      let pair = line.split(separator: ":", maxSplits: 1)
      guard pair.count == 2, pair[0].lowercased() == "content-length" else { return nil }
      return Int(pair[1].drop { $0 == " " })
    }.first
    guard let length, body.count == length else { return nil }
    return Reply(kind: .init(rawValue: status), text: printable(String(decoding: body, as: UTF8.self)), place: place)
  }

  /// `text` without its last line end, and without control sequences for the terminal.
  private static func printable(_ text: String) -> String {
    var text = text[...]
    while text.last == "\n" { text.removeLast() }
    let scalars = text.unicodeScalars.map { scalar in
      let drives = (scalar.value < 0x20 && scalar != "\n") || (0x7F...0x9F).contains(scalar.value)
      return drives ? "\u{FFFD}" : scalar
    }
    return String(String.UnicodeScalarView(scalars))
  }

  /// At least 1: 0 would mean no limit.
  private static func milliseconds(until deadline: Instant) -> Int32 {
    max(1, Int32(clamping: (deadline - .now) / 1_000_000))
  }

  private struct Connection: ~Copyable {
    let descriptor: Descriptor
    let place: ControlPlace
    var owner: UInt32 = 0
    var number: Int32 { descriptor.number }

    /// Why the process may have closed the connection of `user`.
    func reason(for user: UInt32) -> String {
      user == 0 || user == owner ? "" : "; it takes commands of its own user (uid \(owner)) and of root only"
    }

    init(_ descriptor: consuming Descriptor, to place: ControlPlace) {
      self.descriptor = descriptor
      self.place = place
    }
  }
}

/// The end of another process.
public struct ProcessEnd: ~Copyable {
  private let descriptor: Descriptor

  fileprivate init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// Waits at most this long; returns whether the process has ended.
  public borrowing func wait(_ patience: Duration) -> Bool {
    let milliseconds = patience.components.seconds * 1000 + patience.components.attoseconds / 1_000_000_000_000_000
    return clinux_wait_readable(descriptor.number, Int32(clamping: milliseconds)) == 1
  }
}

extension Duration {
  fileprivate var inWords: String { "\(components.seconds) s" }
}
