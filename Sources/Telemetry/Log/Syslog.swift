import Bytes
import CLinux
import Glibc

/// Where syslog is, and how its messages name the proxy.
public struct SyslogAddress: Sendable, Hashable {
  /// The path of its Unix socket.
  public var socket: String
  /// The number of the facility (RFC 5424 section 6.2.1).
  public var facility: Int
  /// The name of the program: 1 to 48 printable ASCII characters.
  public var tag: String

  /// Creates an address.
  public init(socket: String = "/dev/log", facility: Int = 3, tag: String = "m2m-proxy") {
    (self.socket, self.facility, self.tag) = (socket, facility, tag)
  }
}

/// Syslog on a local socket: one RFC 5424 message for each line.
///
/// The socket takes datagrams, or else a stream, in which a line feed ends each message (RFC 6587 section 3.4.2).
final class SyslogOutput: LogOutput {
  // The length that every receiver accepts (RFC 5424 section 6.1).
  private static let leastMessage = 480

  private let address: SyslogAddress
  private let host: String
  private let process: String
  private var descriptor: Int32 = -1
  private var isStream = false
  /// The longest message that the socket accepts, as far as known.
  private var longest = 64 * 1024
  /// The beginning of a line whose rest is in the next block.
  private var beginning: [UInt8] = []
  /// The message that is being sent, and how much of it was sent on a stream.
  private var message: [UInt8] = []
  private var sent = 0

  /// Nothing is opened before the first line.
  init(_ address: SyslogAddress) {
    self.address = address
    host = Self.hostName()
    process = "\(getpid())"
  }

  deinit { disconnect() }

  func reopen() -> String? {
    disconnect()
    return connect()
  }

  // MARK: Sending

  func step(_ block: ByteBuffer) -> LogStep {
    let bytes = block.readableBytes
    let end = bytes.indices.first { bytes[$0] == UInt8(ascii: "\n") }
    guard let end else {
      append(bytes, to: &beginning)
      return .wrote(bytes: bytes.count, lines: 0)
    }
    if message.isEmpty {
      var line = beginning
      append(bytes.extracting(0..<end), to: &line)
      message = syslogMessage(line)
    }
    if let step = send() { return step }
    message = []
    beginning = []
    sent = 0
    return .wrote(bytes: end + 1, lines: 1)
  }

  /// Sends the message; nil when it was sent.
  private func send() -> LogStep? {
    // The second attempt finds a receiver that was restarted.
    for attempt in 1...2 {
      if descriptor < 0, let problem = connect() { return .stalled(.unreachable, problem) }
      while sent < message.count {
        let count = unsafe message.withUnsafeBytes { all in
          let rest = unsafe UnsafeRawBufferPointer(rebasing: all[sent...])
          return unsafe clinux_send(descriptor, rest.baseAddress, rest.count)
        }
        if count >= 0 {
          sent += count
          continue
        }
        let error = errno
        switch error {
        case EINTR: continue
        case EAGAIN: return .blocked(descriptor)
        case EMSGSIZE where message.count > Self.leastMessage:
          longest = max(Self.leastMessage, message.count / 2)
          cut()
          continue
        case ENOBUFS, ENOMEM:
          return .stalled(.writeFailed, "syslog cannot be written: \(errorText(error))")
        default: break
        }
        // The receiver is gone. A part of a message that it got without its end does not count.
        disconnect()
        if attempt == 2 { return .stalled(.unreachable, problem(error)) }
        break
      }
      if sent == message.count { return nil }
    }
    return .stalled(.unreachable, "syslog at \(address.socket) ends each connection")
  }

  /// Cuts the message to what the socket accepts, and ends it with an ellipsis then.
  private func cut() {
    guard message.count > longest else { return }
    let ending = Array((isStream ? "…\n" : "…").utf8)
    // A view of `message` must not exist while `message` changes.
    let whole = message
    message.removeLast(whole.count - whole.span.boundary(before: longest - ending.count))
    message += ending
  }

  // MARK: The socket

  private func connect() -> String? {
    disconnect()
    for (type, isStream) in [(Int32(SOCK_DGRAM.rawValue), false), (Int32(SOCK_STREAM.rawValue), true)] {
      let socket = unsafe clinux_begin_connect_unix(address.socket, type)
      if socket >= 0 {
        descriptor = socket
        if self.isStream != isStream { changeKind(isStream) }
        return nil
      }
      // The socket is of the other kind.
      guard errno == EPROTOTYPE && !isStream else { break }
    }
    return problem(errno)
  }

  private func changeKind(_ isStream: Bool) {
    self.isStream = isStream
    guard !message.isEmpty else { return }
    if isStream {
      message.append(UInt8(ascii: "\n"))
    } else if message.last == UInt8(ascii: "\n") {
      message.removeLast()
    }
  }

  private func disconnect() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    sent = 0
  }

  private func problem(_ error: Int32) -> String {
    "syslog at \(address.socket) cannot be reached: \(errorText(error))"
  }

  // MARK: Messages

  /// The RFC 5424 message for a line of the log, which it contains unchanged.
  private func syslogMessage(_ line: [UInt8]) -> [UInt8] {
    let parts = SyslogLine(line)
    let priority = address.facility * 8 + parts.severity
    var message = Array("<\(priority)>1 \(parts.time) \(host) \(address.tag) \(process) \(parts.event) - ".utf8)
    message += line
    if isStream { message.append(UInt8(ascii: "\n")) }
    if message.count > longest {
      self.message = message
      cut()
      return self.message
    }
    return message
  }

  private func append(_ bytes: Span<UInt8>, to target: inout [UInt8]) {
    unsafe bytes.withUnsafeBytes { unsafe target.append(contentsOf: $0) }
  }

  /// The name of this machine as messages allow it; `-` if there is none.
  private static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "-" }
    let text = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let isPrintable = !text.isEmpty && text.count <= 255 && text.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    return isPrintable ? String(decoding: text, as: UTF8.self) : "-"
  }
}

/// What a syslog message takes from a line of the log, in either format.
struct SyslogLine {
  /// When it was written.
  let time: String
  /// The severity of RFC 5424 section 6.2.1.
  let severity: Int
  /// The event.
  let event: String

  private static let severities = [
    "trace": 7, "debug": 7, "info": 6, "notice": 5, "warning": 4, "error": 3, "critical": 2,
  ]

  /// Reads the beginning of `line`: its time, its level if present, and its event.
  init(_ line: [UInt8]) {
    var rest = line[...]
    let isJSON = line.first == UInt8(ascii: "{")
    time = Self.take(isJSON ? #"{"time":""# : "time=", from: &rest) ?? "-"
    let level = Self.take(isJSON ? #"","level":""# : " level=", from: &rest)
    severity = level.flatMap { Self.severities[$0] } ?? 6
    event = Self.take(isJSON ? #"","event":""# : " event=", from: &rest) ?? "-"
  }

  /// The text after `prefix`, up to a space or a quotation mark; nil if `prefix` is not there, or the text is empty
  /// or too long for a name.
  private static func take(_ prefix: String, from rest: inout ArraySlice<UInt8>) -> String? {
    guard rest.starts(with: prefix.utf8) else { return nil }
    let value = rest.dropFirst(prefix.utf8.count).prefix { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
    guard !value.isEmpty && value.count <= 32 else { return nil }
    rest = rest[value.endIndex...]
    return String(decoding: value, as: UTF8.self)
  }
}
