internal import CLinux
internal import Glibc
internal import Reactor
internal import SystemPackage

/// Asks the admin listener of a running proxy how it is.
public enum HealthProbe {
  /// What came of it.
  public enum Outcome: Sendable {
    /// It answered 200.
    case healthy
    /// It did not; why, in a few words.
    case unhealthy(String)
  }

  /// Sends `GET /healthz` to a numeric address and waits for the status line, `seconds` at most for each step.
  public static func ask(host: String, port: UInt16, seconds: Int) -> Outcome {
    let host = reachable(host)
    let descriptor = unsafe clinux_connect(host, port, Int32(clamping: seconds))
    guard descriptor >= 0 else { return .unhealthy("no connection: \(Errno.last)") }
    defer { close(descriptor) }
    // On loopback the listener answers to no name but this machine's.
    let name = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
    let request = Array("GET /healthz HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n".utf8)
    guard unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
      return .unhealthy("the question could not be sent")
    }
    var answer = [UInt8](repeating: 0, count: 256)
    let count = unsafe recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
    guard count > 0 else { return .unhealthy("no answer in \(seconds) s") }
    let line = String(decoding: answer.prefix(count), as: UTF8.self).prefix { $0 != "\r\n" }
    return line.hasPrefix("HTTP/1.1 200 ") ? .healthy : .unhealthy("it answered \(line)")
  }

  // What is bound to every address is reached by the loopback one.
  private static func reachable(_ host: String) -> String {
    switch host {
    case "0.0.0.0": "127.0.0.1"
    case "::": "::1"
    default: host
    }
  }
}
