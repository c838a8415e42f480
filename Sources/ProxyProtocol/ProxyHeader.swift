public import Addresses

/// The header in front of a connection that a load balancer passes on: it names the real client. Version 1 is a line
/// of text, version 2 binary (the PROXY protocol, haproxy.org/download/2.9/doc/proxy-protocol.txt).
public struct ProxyHeader: Equatable, Sendable {
  /// One end of a connection.
  public struct Endpoint: Equatable, Sendable {
    /// The address.
    public let address: IPAddress
    /// The port.
    public let port: UInt16
  }

  /// The client's end, as the sender says; nil where it speaks for itself (a health check), or does not know it: then
  /// the connection is whose it seems to be.
  public let source: Endpoint?
  /// The end that the client connected to.
  public let destination: Endpoint?
  /// How many bytes it has; the connection goes on behind them.
  public let length: Int

  /// The most bytes that a header may have. Version 1 has 107 at most.
  public static let mostBytes = 4096

  init(source: Endpoint? = nil, destination: Endpoint? = nil, length: Int) {
    self.source = source
    self.destination = destination
    self.length = length
  }

  /// The header that `bytes` begin with; nil while it is not complete.
  ///
  /// - Throws: what is wrong, as soon as that can be known.
  public static func parse(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> ProxyHeader? {
    guard !bytes.isEmpty else { return nil }
    if try begins(bytes, with: signature) { return try parseBinary(bytes) }
    if try begins(bytes, with: keyword) { return try parseLine(bytes) }
    return nil
  }

  /// Whether `bytes`, in which there is no request, begin as a header does.
  public static func isAtStart(of bytes: Span<UInt8>) -> Bool {
    let isBinary = try? begins(bytes, with: signature)
    let isLine = try? begins(bytes, with: keyword)
    return isBinary == true || isLine == true
  }

  static let keyword = Array("PROXY ".utf8)
  static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

  /// Whether all of `prefix` is there.
  /// - Throws: `missing` where what is there is the beginning of neither version.
  private static func begins(_ bytes: Span<UInt8>, with prefix: [UInt8]) throws(ProxyHeaderError) -> Bool {
    // The first byte tells the two apart.
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

/// What is wrong with a header of the PROXY protocol, or that there is none.
public enum ProxyHeaderError: Error, Sendable, CaseIterable {
  /// The connection begins with something else.
  case missing
  /// The line of version 1 is longer than it may be.
  case lineTooLong
  /// The line of version 1 is not made of what it must be made of.
  case malformedLine
  /// An address is not one of the family that the header names.
  case malformedAddress
  /// A port is no number up to 65535.
  case malformedPort
  /// The family, or the transport, is not one of a TCP connection.
  case unknownFamily
  /// The binary header is of another version than 2.
  case unknownVersion
  /// It says neither LOCAL nor PROXY.
  case unknownCommand
  /// It is shorter than the addresses that it must have.
  case tooShort
  /// It is longer than any header may be.
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
