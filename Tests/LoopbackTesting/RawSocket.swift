internal import CLinux
internal import Glibc

/// A blocking TCP socket that sends what it is told to and reads what comes: patient, but not for ever.
public final class RawSocket: @unchecked Sendable {
  /// How a connection ended.
  public enum End: Sendable {
    /// The peer closed in an orderly way.
    case closed
    /// The peer reset the connection.
    case reset
  }

  /// What was waited for did not come.
  public struct Silence: Error {
    /// What did come.
    public let received: String
  }

  private let descriptor: Int32
  private var isOpen = true
  private var received: [UInt8] = []

  static let patience: Int32 = 20

  /// A connection to a port of 127.0.0.1.
  public init(port: UInt16) throws {
    descriptor = unsafe clinux_connect("127.0.0.1", port, Self.patience * 1_000)
    guard descriptor >= 0 else { throw Silence(received: "no connection to port \(port): errno \(errno)") }
    setNoDelay()
  }

  init(owning descriptor: Int32) {
    self.descriptor = descriptor
    var patience = timeval(tv_sec: Int(Self.patience), tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, length)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, length)
    setNoDelay()
  }

  deinit { close() }

  private func setNoDelay() {
    var on: Int32 = 1
    unsafe _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends all of `text`, unless the peer is gone.
  public func send(_ text: String) {
    send(Array(text.utf8))
  }

  /// Sends all of `bytes`, unless the peer is gone. Says whether all of it was taken.
  @discardableResult public func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// What comes up to and with `end`.
  public func read(upTo end: String) throws -> String {
    let wanted = Array(end.utf8)
    while true {
      if let start = received.firstRange(of: wanted)?.upperBound {
        defer { received.removeFirst(start) }
        return String(decoding: received[..<start], as: UTF8.self)
      }
      guard try readSome() == nil else { throw Silence(received: String(decoding: received, as: UTF8.self)) }
    }
  }

  /// Exactly `count` bytes.
  public func read(_ count: Int) throws -> [UInt8] {
    while received.count < count {
      guard try readSome() == nil else { throw Silence(received: String(decoding: received, as: UTF8.self)) }
    }
    defer { received.removeFirst(count) }
    return Array(received.prefix(count))
  }

  /// Everything until the connection ends, and how it did.
  public func readToEnd() throws -> (text: String, end: End) {
    while true {
      guard let end = try readSome() else { continue }
      defer { received = [] }
      return (String(decoding: received, as: UTF8.self), end)
    }
  }

  /// Sends `text` and says that nothing more will be sent, in one segment: who has one has the other.
  public func sendLast(_ text: String) {
    var on: Int32 = 1
    unsafe _ = setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_CORK, &on, socklen_t(MemoryLayout<Int32>.size))
    send(text)
    finishSending()
  }

  /// Says that nothing more will be sent.
  public func finishSending() {
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Ends the connection with a reset.
  public func abort() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  /// Ends the connection.
  public func close() {
    guard isOpen else { return }
    isOpen = false
    _ = Glibc.close(descriptor)
  }

  private func readSome() throws -> End? {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
    if count > 0 {
      received += bytes[..<count]
      return nil
    }
    if count == 0 { return .closed }
    if errno == ECONNRESET { return .reset }
    throw Silence(received: String(decoding: received, as: UTF8.self))
  }
}
