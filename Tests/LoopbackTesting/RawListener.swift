internal import CLinux
internal import Foundation
internal import Glibc

/// A listening socket on a free port of 127.0.0.1 that accepts when it is told to.
public final class RawListener: @unchecked Sendable {
  /// The port.
  public let port: UInt16

  private let descriptor: Int32

  /// Listens; connections that nobody accepts are made by the kernel nevertheless.
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
    guard accepted >= 0 else { throw RawSocket.Silence(received: "nobody connected: errno \(errno)") }
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
