/// What is given arbitrary bytes: by libFuzzer (scripts/fuzz), and by the tests with the files of Tests/Corpus.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A request head, from the client to the upstream.
  case requestHead = "request-head"
  /// A response head, from the upstream to the client.
  case responseHead = "response-head"
  /// A chunked body.
  case chunked
  /// A request target; the first byte chooses the method.
  case target
  /// proxy.conf.
  case configuration
  /// A token endpoint's reply: a status and fields, an empty line, a body.
  case tokenReply = "token-reply"
  /// The header in front of a connection that a load balancer passes on.
  case proxyHeader = "proxy-header"
  /// What a TLS connection begins with.
  case clientHello = "client-hello"
  /// Prefixes of paths, one a line, an empty line, and the path of a request.
  case pathReadings = "path-readings"

  /// Checks what must hold whatever `input` is; throws what does not.
  public func check(_ input: [UInt8]) throws(Violation) {
    switch self {
    case .requestHead: try checkRequestHead(input)
    case .responseHead: try checkResponseHead(input)
    case .chunked: try checkChunked(input)
    case .target: try checkTarget(input)
    case .configuration: try checkConfiguration(input)
    case .tokenReply: try checkTokenReply(input)
    case .proxyHeader: try checkProxyHeader(input)
    case .clientHello: try checkClientHello(input)
    case .pathReadings: try checkPathReadings(input)
    }
  }
}

/// A property that does not hold.
public struct Violation: Error, CustomStringConvertible {
  /// Which one, and how it shows.
  public let description: String
}

/// Throws `what` unless `condition` holds.
func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(Violation) {
  guard condition else { throw Violation(description: what()) }
}
