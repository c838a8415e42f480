internal import CLinux
internal import Glibc
internal import Reactor
internal import SystemPackage

/// Asks the admin listener of a running proxy whether it is healthy.
public enum HealthProbe {
  /// The result.
  public enum Outcome: Sendable {
    /// It responded with 200.
    case healthy
    /// It did not; the reason, in a few words.
    case unhealthy(String)
  }

  private enum Attempt {
    case finished(Outcome)
    /// The connection ended before a response, for example because the listener closed it for another client.
    case cutShort
    case tooLate
  }

  private static let pause: UInt32 = 50_000

  /// Sends `GET /healthz` to a numeric address and waits for the status line, `seconds` at most in total. If a
  /// connection ends without a response, it connects again within that time.
  public static func ask(host: String, port: UInt16, seconds: Int) -> Outcome {
    let host = reachable(host)
    let deadline = Instant.now + .seconds(seconds)
    var attempts = 0
    while Instant.now < deadline {
      switch attempt(host, port, until: deadline) {
      case .finished(let outcome): return outcome
      case .tooLate: return .unhealthy("no response in \(seconds) s")
      case .cutShort: attempts += 1
      }
      usleep(pause)
    }
    return .unhealthy(
      "it closed each of \(attempts) connections without a response in \(seconds) s; is this the admin listener?")
  }

  private static func attempt(_ host: String, _ port: UInt16, until deadline: Instant) -> Attempt {
    let descriptor = unsafe clinux_connect(host, port, milliseconds(until: deadline))
    guard descriptor >= 0 else {
      // The error for a connection that takes too long is "in progress" (socket(7), SO_SNDTIMEO).
      let errno = Errno.last
      let reason = errno == .nowInProgress ? "it takes too long to connect" : "\(errno)"
      return .finished(.unhealthy("no connection: \(reason)"))
    }
    defer { close(descriptor) }
    // On loopback the listener accepts no name except this machine's.
    let name = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
    let request = Array("GET /healthz HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n".utf8)
    guard unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
      return .cutShort
    }
    clinux_limit_waiting(descriptor, milliseconds(until: deadline))
    var answer = [UInt8](repeating: 0, count: 256)
    let count = unsafe recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
    guard count > 0 else {
      let isLate = count < 0 && Errno.last == .wouldBlock
      return isLate ? .tooLate : .cutShort
    }
    let line = String(decoding: answer.prefix(count), as: UTF8.self).prefix { $0 != "\r\n" }
    return .finished(line.hasPrefix("HTTP/1.1 200 ") ? .healthy : .unhealthy("it responded with \(line)"))
  }

  /// At least 1: 0 means no limit.
  private static func milliseconds(until deadline: Instant) -> Int32 {
    max(1, Int32(clamping: (deadline - .now) / 1_000_000))
  }

  // A listener on all addresses is reached at the loopback one.
  private static func reachable(_ host: String) -> String {
    switch host {
    case "0.0.0.0": "127.0.0.1"
    case "::": "::1"
    default: host
    }
  }
}
