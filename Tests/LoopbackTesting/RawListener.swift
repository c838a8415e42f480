internal import CLinux
internal import Foundation
internal import Glibc

/// A listening socket on a free port of 127.0.0.1 that accepts when it is told to.
public final class RawListener: @unchecked Sendable {
  /// The port.
  public let port: UInt16

  private let descriptor: Int32

  /// Listens; the kernel also establishes connections that are not accepted.
  public init() throws {
    let descriptor = unsafe clinux_listen("127.0.0.1", 0, 16, 0)
    guard descriptor >= 0 else { throw RawSocket.Silence(received: "no port: errno \(errno)") }
    let port = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_ADDRESS_TEXT)) { text in
      unsafe clinux_socket_address(descriptor, 0, text.baseAddress)
    }
    self.descriptor = descriptor
    self.port = UInt16(port)
    _ = fcntl(descriptor, F_SETFL, 0)
    var patience = timeval(tv_sec: Int(RawSocket.patience), tv_usec: 0)
    unsafe _ = setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { _ = Glibc.close(descriptor) }

  /// The next connection.
  public func accept() throws -> RawSocket {
    let accepted = Glibc.accept(descriptor, nil, nil)
    guard accepted >= 0 else { throw RawSocket.Silence(received: "no connection came: errno \(errno)") }
    return RawSocket(owning: accepted)
  }

  /// Calls `serve` with every connection, each on a thread of its own; the port to connect to.
  public static func serving(_ serve: @escaping @Sendable (RawSocket) throws -> Void) throws -> UInt16 {
    let listener = try RawListener()
    Thread.detachNewThread {
      while let socket = try? listener.accept() {
        Thread.detachNewThread {
          // A script that the other side leaves in the middle has done its part.
          try? serve(socket)
          socket.close()
        }
      }
    }
    return listener.port
  }
}

/// A port of 127.0.0.1 that is bound, but without a listener: it refuses connections as long as this object lives.
public final class TakenPort {
  /// The port.
  public let port: UInt16

  private let descriptor: Int32

  /// Takes a free port.
  public init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        let bound = unsafe bind(descriptor, generic, length)
        return bound == 0 ? unsafe getsockname(descriptor, generic, &length) : bound
      }
    }
    self.descriptor = descriptor
    port = UInt16(bigEndian: address.sin_port)
    guard status == 0 else { throw RawSocket.Silence(received: "no port: errno \(errno)") }
  }

  deinit { _ = Glibc.close(descriptor) }
}
