public import Addresses

/// The header that a load balancer puts in front of a connection that it forwards, with the real client's address. Version 1 is
/// a line of text, version 2 is binary (the PROXY protocol, haproxy.org/download/2.9/doc/proxy-protocol.txt).
public struct ProxyHeader: Equatable, Sendable {
  /// One end of a connection.
  public struct Endpoint: Equatable, Sendable {
    /// The address.
    public let address: IPAddress
    /// The port.
    public let port: UInt16
  }

  /// The client's end, as the sender reports it; nil if the sender made the connection itself (a health check) or does not know
  /// the client: then the peer of the connection counts.
  public let source: Endpoint?
  /// The end that the client connected to.
  public let destination: Endpoint?
  /// The length of the header; the connection's bytes follow it.
  public let length: Int

  /// The maximum length of a header. Version 1 has at most 107 bytes.
  public static let mostBytes = 4096

  init(source: Endpoint? = nil, destination: Endpoint? = nil, length: Int) {
    self.source = source
    self.destination = destination
    self.length = length
  }

  /// Parses the header at the beginning of `bytes`; nil while it is not complete.
  ///
  /// - Throws: what is wrong, as soon as that is certain.
  public static func parse(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> ProxyHeader? {
    guard !bytes.isEmpty else { return nil }
    if try begins(bytes, with: signature) { return try parseBinary(bytes) }
    if try begins(bytes, with: keyword) { return try parseLine(bytes) }
    return nil
  }

  /// Whether `bytes`, which are not a request, begin like a header.
  public static func isAtStart(of bytes: Span<UInt8>) -> Bool {
    let isBinary = try? begins(bytes, with: signature)
    let isLine = try? begins(bytes, with: keyword)
    return isBinary == true || isLine == true
  }

  static let keyword = Array("PROXY ".utf8)
  static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

  /// Whether `bytes` begin with all of `prefix`.
  /// - Throws: `missing` if they are the beginning of neither version.
  private static func begins(_ bytes: Span<UInt8>, with prefix: [UInt8]) throws(ProxyHeaderError) -> Bool {
    // The first byte tells the two versions apart.
    guard bytes[0] == keyword[0] || bytes[0] == signature[0] else { throw .missing }
    guard bytes[0] == prefix[0] else { return false }
    for index in 0..<min(bytes.count, prefix.count) where bytes[index] != prefix[index] { throw .missing }
    return bytes.count >= prefix.count
  }
}

extension ProxyHeader.Endpoint: CustomStringConvertible {
  /// `192.0.2.1:50000`, or `[2001:db8::1]:50000`.
  public var description: String {
    switch address {
    case .v4: "\(address.text):\(port)"
    case .v6: "[\(address.text)]:\(port)"
    }
  }
}

/// What is wrong with a PROXY protocol header, including that there is none.
public enum ProxyHeaderError: Error, Sendable, CaseIterable {
  /// The connection begins with something else.
  case missing
  /// The line of version 1 is too long.
  case lineTooLong
  /// The line of version 1 has another form.
  case malformedLine
  /// An address does not belong to the family in the header.
  case malformedAddress
  /// A port is not a number up to 65535.
  case malformedPort
  /// The family, or the transport, does not belong to a TCP connection.
  case unknownFamily
  /// The binary header has a version other than 2.
  case unknownVersion
  /// The command is neither LOCAL nor PROXY.
  case unknownCommand
  /// It is shorter than its addresses.
  case tooShort
  /// It is longer than the limit.
  case tooLong

  /// A sentence for the log.
  public var message: String {
    switch self {
    case .missing: "the connection does not begin with a header of the PROXY protocol"
    case .lineTooLong: "the line of version 1 is longer than 107 bytes"
    case .malformedLine: "the line of version 1 is not PROXY, TCP4 or TCP6, two addresses and two ports"
    case .malformedAddress: "an address is not one of its family"
    case .malformedPort: "a port is no number up to 65535"
    case .unknownFamily: "the family or transport is not one of a TCP connection"
    case .unknownVersion: "the version is neither 1 nor 2"
    case .unknownCommand: "the command is neither LOCAL nor PROXY"
    case .tooShort: "the header is shorter than its addresses"
    case .tooLong: "the header is longer than \(ProxyHeader.mostBytes) bytes"
    }
  }
}
