internal import CLinux
internal import Glibc
public import SystemPackage

/// Signals as events of a loop, in place of handlers that may interrupt anything.
public final class SignalWatch: Watch {
  private let descriptor: Descriptor
  private let received: (Int32) -> Void

  /// Blocks `signals` on this thread and those it starts later: call it before any thread is started.
  /// - Parameter received: called on the thread of the loop that ``start(on:)`` names, with the signal's number.
  public init(_ signals: [Int32], received: @escaping (Int32) -> Void) throws(Errno) {
    let number = unsafe clinux_signal_descriptor(signals, Int32(signals.count))
    descriptor = Descriptor(owning: try Errno.check(number))
    self.received = received
    super.init()
  }

  /// Reports signals on the thread of `loop` from now on.
  public func start(on loop: EventLoop) throws(Errno) {
    try loop.register(self, descriptor: descriptor.number, interest: .readable)
  }

  public override func signal(_ readiness: Readiness) {
    var information = signalfd_siginfo()
    while unsafe read(descriptor.number, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {
      received(Int32(information.ssi_signo))
    }
  }
}
