internal import CLinux
internal import Glibc

/// What systemd is told by a service of Type=notify (sd_notify(3)); nobody is, where nobody asked.
public struct ServiceManager: Sendable {
  private let path: String?

  /// The one that NOTIFY_SOCKET names, which is taken out of the environment.
  public init() {
    path = unsafe getenv("NOTIFY_SOCKET").map { unsafe String(cString: $0) }
    unsafe _ = unsetenv("NOTIFY_SOCKET")
  }

  /// The proxy serves from now on. Waits up to 5 s for a manager that does not read, so it is not for an event loop.
  public func ready() { tell("READY=1", milliseconds: 5000) }

  /// The proxy finishes what is under way. Never waits: loops call it.
  public func stopping() { tell("STOPPING=1", milliseconds: 0) }

  private func tell(_ news: String, milliseconds: Int32) {
    // A manager that cannot be told goes by its own timeouts; there is nothing that the proxy could do about it.
    if let path { unsafe _ = clinux_send_datagram(path, news, milliseconds) }
  }
}
