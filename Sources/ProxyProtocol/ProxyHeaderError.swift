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
