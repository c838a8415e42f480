public import Bytes
internal import CLinux
internal import Glibc
public import SystemPackage

/// A byte stream directly on a socket.
public final class SocketStream: ByteStream {
  private let loop: EventLoop
  private var socket: Descriptor?
  private let descriptor: Int32

  /// Takes over a connected, non-blocking socket and registers it with `loop`, on whose thread it is used.
  public init(_ socket: consuming Descriptor, on loop: EventLoop) throws(Errno) {
    self.loop = loop
    descriptor = socket.number
    self.socket = consume socket
    super.init()
    do {
      try loop.register(self, stream: descriptor)
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  public override var localAddress: String { SocketAddress.text(of: descriptor, peer: false) }

  public override func receive(into buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.freeSpace, limit)
    let count = unsafe buffer.withUnsafeFreeSpace { free in
      unsafe clinux_receive(descriptor, free.baseAddress, wanted)
    }
    guard count > 0 else { return count == 0 ? .endOfStream : ended { isReadable = false } }
    buffer.commit(count)
    // A short read: the kernel has no more, unless the end of the stream follows.
    if count < wanted, !peerClosed { isReadable = false }
    return .transferred(count)
  }

  public override func send(from buffer: ByteBuffer, limit: Int = .max) -> IOResult {
    let wanted = min(buffer.count, limit)
    let count = unsafe buffer.withUnsafeReadableBytes { bytes in
      unsafe clinux_send(descriptor, bytes.baseAddress, wanted)
    }
    guard count >= 0 else { return ended { isWritable = false } }
    buffer.consume(count)
    if count < wanted { isWritable = false }
    return .transferred(count)
  }

  public override func finishSending() {
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  public override var undeliveredBytes: Int { max(0, Int(clinux_undelivered_bytes(descriptor))) }

  public override func hasUnexpectedInput() -> Bool {
    peerClosed || clinux_is_quiet(descriptor) == 0
  }

  public override func abort() {
    socket?.resetOnClose()
    close()
  }

  /// Passes the socket to another owner, which registers it again; this stream cannot be used afterwards. Nil if it is closed.
  public func handOver() -> Descriptor? {
    guard socket != nil else { return nil }
    loop.remove(self)
    return socket.take()
  }

  public override func close() {
    guard socket != nil else { return }
    loop.forget(self)
    socket = nil
  }

  private func ended(_ block: () -> Void) -> IOResult {
    switch Errno.last {
    case .wouldBlock, .resourceTemporarilyUnavailable, .interrupted:
      block()
      return .wouldBlock
    case let errno:
      return .failed(.system(errno))
    }
  }
}
