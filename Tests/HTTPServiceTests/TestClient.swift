import Glibc

/// A blocking client that sends what it is told to and reads what comes, patient but not for ever.
final class TestClient {
  enum Failure: Error { case refused, silence(afterReceiving: String) }

  private let socket: Int32
  private var received = ""

  /// Connects to `port` of an IPv4 address of this machine.
  init(port: UInt16, host: String = "127.0.0.1") throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      unsafe setsockopt(socket, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw Failure.silence(afterReceiving: host) }
    let status = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw errno == ECONNREFUSED ? Failure.refused : .silence(afterReceiving: "") }
  }

  deinit { close(socket) }

  /// Whether connections to `port` are refused, at the latest after some thousand attempts: a process that another test
  /// starts can hold a closed socket open until it runs its program.
  static func isRefused(port: UInt16, host: String) -> Bool {
    for _ in 0..<5_000 {
      do {
        _ = try TestClient(port: port, host: host)
        usleep(1_000)
      } catch Failure.refused {
        return true
      } catch {
        return false
      }
    }
    return false
  }

  func send(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// What comes up to and with `end`.
  func read(upTo end: String) throws -> String {
    while true {
      if let found = received.ranges(of: end).first {
        defer { received = String(received[found.upperBound...]) }
        return String(received[..<found.upperBound])
      }
      guard try readSome() else { throw Failure.silence(afterReceiving: received) }
    }
  }

  /// Everything until the service closes the connection.
  func readToEnd() throws -> String {
    while try readSome() {}
    defer { received = "" }
    return received
  }

  /// Returns when the service has closed the connection, in whatever way.
  func waitForEnd() {
    var byte: UInt8 = 0
    while unsafe recv(socket, &byte, 1, 0) > 0 {}
  }

  /// Returns when the service has reset the connection, without reading anything before.
  func waitForReset() throws {
    var state = pollfd(fd: socket, events: 0, revents: 0)
    guard unsafe poll(&state, 1, 20_000) == 1, Int32(state.revents) & POLLHUP != 0 else {
      throw Failure.silence(afterReceiving: "")
    }
  }

  private func readSome() throws -> Bool {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe recv(socket, &bytes, bytes.count, 0)
    guard count >= 0 else { throw Failure.silence(afterReceiving: received) }
    received += String(decoding: bytes[..<count], as: UTF8.self)
    return count > 0
  }
}
