// NTLM and its relatives break a rule of HTTP: they authenticate the connection, and every later request on it is made in
// the name of the user who logged on (RFC 4559 section 6). A proxy must not share such a connection between clients.

/// What a response says about a scheme that authenticates connections.
public enum ConnectionChallenge: Sendable {
  /// Nothing.
  case none
  /// It offers such a scheme. No client has logged on by that.
  case offer
  /// It carries the server's part of a handshake (`NTLM TlRM…`): the server has begun, or ended, a logon on this connection.
  case handshake
}

extension RequestHead {
  /// Whether the client sends credentials that authenticate the connection: an `Authorization` field that names NTLM,
  /// Negotiate or another such scheme.
  ///
  /// Fields that are repeated or joined with commas count, since servers differ in which of them they read.
  public func authenticatesConnection(_ bytes: Span<UInt8>) -> Bool {
    for line in fields where line.known == .authorization {
      var elements = ListElements(line.value)
      while let element = elements.next(bytes) {
        if bytes.connectionScheme(element) != nil { return true }
      }
    }
    return false
  }
}

extension ResponseHead {
  /// What the `WWW-Authenticate` fields say about schemes that authenticate connections.
  public func connectionChallenge(_ bytes: Span<UInt8>) -> ConnectionChallenge {
    var found = ConnectionChallenge.none
    for line in fields where line.known == .wwwAuthenticate {
      var elements = ListElements(line.value)
      while let element = elements.next(bytes) {
        guard let scheme = bytes.connectionScheme(element) else { continue }
        if bytes.isToken68(after: scheme, to: Int(element.end)) { return .handshake }
        found = .offer
      }
    }
    return found
  }
}

extension Span<UInt8> {
  /// Where the name of a scheme that authenticates connections ends, if `element` begins with one; nil otherwise.
  ///
  /// Commas inside quoted strings split elements too. A realm that looks like a scheme then costs its connection the pool,
  /// and nothing else.
  fileprivate func connectionScheme(_ element: ByteRange) -> Int? {
    let end = firstNotToken(from: Int(element.start), to: Int(element.end))
    let name = ByteRange(Int(element.start)..<end)
    let isFound =
      switch name.count {
      case 4: equals("ntlm", ignoringCaseAt: name)
      case 5: equals("nego2", ignoringCaseAt: name)
      case 7: equals("credssp", ignoringCaseAt: name)
      case 8: equals("kerberos", ignoringCaseAt: name)
      case 9: equals("negotiate", ignoringCaseAt: name)
      default: false
      }
    return isFound ? end : nil
  }

  /// Whether what follows the scheme's name is data (token68, RFC 9110 11.2) rather than nothing, or parameters.
  fileprivate func isToken68(after start: Int, to end: Int) -> Bool {
    let first = firstNotBlank(from: start, to: end)
    guard first > start, first < end else { return false }
    var position = first
    while position < end, isToken68Byte(self[position]) { position += 1 }
    guard position > first else { return false }
    while position < end, self[position] == UInt8(ascii: "=") { position += 1 }
    return position == end
  }

  private func isToken68Byte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~+/".utf8.contains(byte)
    }
  }
}
