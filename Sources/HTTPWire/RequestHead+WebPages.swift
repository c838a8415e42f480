internal import Addresses

/// What shows that a browser sent a request for a page of another site (Fetch Metadata, RFC 6454).
public enum ForeignPageSign: Equatable, Sendable {
  /// `Sec-Fetch-Site` has this value: the browser says so.
  case site(ByteRange)
  /// `Origin` has this value: the page's origin is not the server that the request is for.
  case origin(ByteRange)
}

extension RequestHead {
  /// The first sign that a browser sent the request for a page of another site; nil where there is none, as from every client
  /// that is not a browser.
  ///
  /// - Parameters:
  ///   - bytes: those that the head was parsed from.
  ///   - target: the target, whose host and scheme decide if it is in absolute form.
  ///   - isSecure: whether the request came over TLS.
  public func foreignPageSign(
    _ bytes: Span<UInt8>, target: RequestTarget?, isSecure: Bool
  ) -> ForeignPageSign? {
    guard contains(.secFetchSite) || contains(.origin) else { return nil }
    for line in fields {
      switch line.known {
      case .secFetchSite:
        let site = bytes.extracting(line.value.range)
        // "none": a person typed the address.
        guard site.isText("same-origin") || site.isText("none") else { return .site(line.value) }
      case .origin:
        let isSecure = target?.scheme.map { $0 == .https } ?? isSecure
        guard let asked = target?.authority ?? authority, asked.isOrigin(line.value, isSecure: isSecure, bytes) else {
          return .origin(line.value)
        }
      default: continue
      }
    }
    return nil
  }
}

extension Authority {
  /// Whether the host always means this machine, whatever DNS says: a loopback address, or a name that RFC 6761 reserves
  /// (section 6.3). A browser that uses another name for a loopback listener was led there, by DNS rebinding for example.
  public func isThisMachine(_ bytes: Span<UInt8>) -> Bool {
    switch kind {
    case .ipv4(let address): IPAddress.v4(address).isLoopback
    case .ipv6(let address): IPAddress.v6(address).isLoopback
    case .name: isLocalhost(bytes)
    }
  }

  /// Whether the value of Origin at `range` is the origin of this host and port (RFC 6454 section 5).
  fileprivate func isOrigin(_ range: ByteRange, isSecure: Bool, _ bytes: Span<UInt8>) -> Bool {
    let scheme: StaticString = isSecure ? "https://" : "http://"
    let length = scheme.utf8CodeUnitCount
    guard range.count > length, bytes.equals(scheme, count: length, at: Int(range.start)),
      let origin = try? Authority.parse(bytes, ByteRange(Int(range.start) + length..<Int(range.end)))
    else { return false }
    let defaultPort: UInt16 = isSecure ? 443 : 80
    return (origin.port ?? defaultPort) == (port ?? defaultPort) && origin.hasSameHost(as: self, bytes)
  }

  private func hasSameHost(as other: Authority, _ bytes: Span<UInt8>) -> Bool {
    guard kind == other.kind else { return false }
    guard kind == .name else { return true }
    let (name, otherName) = (nameWithoutDot, other.nameWithoutDot)
    guard name.count == otherName.count else { return false }
    // A name has no byte but letters that differs in bit 5 from another one.
    return (0..<name.count).allSatisfy {
      bytes[Int(name.start) + $0] | 0x20 == bytes[Int(otherName.start) + $0] | 0x20
    }
  }
}

extension Span<UInt8> {
  /// Whether the bytes are `text`, in this very case.
  fileprivate func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // Safe: a literal lives for ever, and is as long as it says.
    return (0..<count).allSatisfy { unsafe self[$0] == text.utf8Start[$0] }
  }
}
