/// One request target (RFC 9112 3.2), taken apart into offsets.
public struct RequestTarget: Sendable, Equatable {
  /// The four forms of a target.
  public enum Form: Sendable {
    /// `/path?query`: what clients send to an origin server.
    case origin
    /// `http://host/path?query`: what clients send to a proxy.
    case absolute
    /// `host:port`: what CONNECT has.
    case authority
    /// `*`: OPTIONS for the server as a whole.
    case asterisk
  }

  /// The schemes that a target may have.
  public enum Scheme: Sendable {
    /// `http`, port 80 unless another one is given.
    case http
    /// `https`, port 443 unless another one is given.
    case https

    /// The port that goes without saying.
    public var defaultPort: UInt16 { self == .http ? 80 : 443 }
  }

  /// Which form the target is in.
  public internal(set) var form: Form
  /// The scheme of the absolute form.
  public internal(set) var scheme: Scheme?
  /// Host and port of the absolute and the authority form.
  public internal(set) var authority: Authority?
  /// The path. Empty in the authority form, and in an absolute form like `http://host?query`, where `/` is to be sent.
  public internal(set) var path = ByteRange.empty
  /// What follows the first `?`, without it; nil if there is none.
  public internal(set) var query: ByteRange?
  /// Path and query together, with the `?`.
  public internal(set) var pathAndQuery = ByteRange.empty

  /// The host of the absolute and the authority form, without brackets; empty in the other forms.
  public var host: ByteRange { authority?.host ?? .empty }
  /// The port of the absolute and the authority form, if one is given.
  public var port: UInt16? { authority?.port }
  /// Whether the host is an IPv6 address.
  public var isIPv6Literal: Bool { authority?.isIPv6Literal ?? false }

  /// Whether an absolute form has nothing after its authority: `OPTIONS` is then sent on as `*` (RFC 9112 3.2.4).
  public var isWithoutPathAndQuery: Bool { form == .absolute && pathAndQuery.isEmpty }
}
