internal import CLinux
internal import Glibc
public import SystemPackage

/// A signal that the process received.
public struct ReceivedSignal: Sendable {
  /// Which one.
  public let number: Int32
  /// Whether the kernel sent it, as it does when a terminal hangs up, and not a process by kill(2).
  public let isFromKernel: Bool

  /// The signal `number`.
  public init(_ number: Int32, isFromKernel: Bool = false) {
    self.number = number
    self.isFromKernel = isFromKernel
  }
}

/// Delivers signals as events of a loop, instead of handlers that may interrupt anything.
public final class SignalWatch: Watch {
  private let descriptor: Descriptor
  private let received: (ReceivedSignal) -> Void

  /// Blocks `signals` on this thread and on those it starts later: create it before any thread.
  /// - Parameter received: called on the thread of the loop that ``start(on:)`` names.
  public init(_ signals: [Int32], received: @escaping (ReceivedSignal) -> Void) throws(Errno) {
    let number = unsafe clinux_signal_descriptor(signals, Int32(signals.count))
    descriptor = Descriptor(owning: try Errno.check(number))
    self.received = received
    super.init()
  }

  /// Whether the process ignores `signal` because its parent did, as nohup does for SIGHUP.
  public static func isIgnored(_ signal: Int32) -> Bool { clinux_ignores_signal(signal) != 0 }

  /// Reports signals on the thread of `loop` from now on.
  public func start(on loop: EventLoop) throws(Errno) {
    try loop.register(self, descriptor: descriptor.number, interest: .readable)
  }

  public override func signal(_ readiness: Readiness) {
    var information = signalfd_siginfo()
    while unsafe read(descriptor.number, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {
      received(ReceivedSignal(Int32(information.ssi_signo), isFromKernel: information.ssi_code == Self.fromKernel))
    }
  }

  // SI_KERNEL: an enumeration of the C library in one version and a macro in another.
  private static let fromKernel: Int32 = 0x80
}
