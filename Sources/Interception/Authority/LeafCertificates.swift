public import Addresses
public import Cryptography
internal import Locks

/// The certificates that clients get for hosts. Each is made when its host is first requested, kept in memory, and replaced
/// before it expires.
///
/// All have the same key, of the authority's kind, which is created with this object and never leaves the process. An attacker
/// who obtained this key would also obtain a key for each certificate, and creating one would take time in every first
/// handshake.
public final class LeafCertificates: Sendable {
  private struct Leaf {
    let context: TLSServerContext
    let notBefore: Int64
    /// From then on it is replaced, although it is still valid.
    let renewal: Int64
    /// When it was last requested, as a number of requests.
    var lastUse: UInt64 = 0
  }

  private struct State {
    var authority: CertificateAuthority
    var key: PrivateKey
    var leaves: [CertifiedHost: Leaf] = [:]
    /// The hosts whose certificates are being made.
    var inTheMaking: Set<CertifiedHost> = []
    var uses: UInt64 = 0
    var issued: UInt64 = 0
  }

  /// The oldest version of TLS that is served with them.
  public let minimum: TLSVersion
  private let state: Monitor<State>
  private let lifetime: Int64
  private let capacity: Int
  private let now: @Sendable () -> Int64

  /// Issues certificates of `authority`.
  ///
  /// - Parameters:
  ///   - lifetime: How long each certificate is valid.
  ///   - minimum: The oldest version of TLS that is served.
  ///   - capacity: How many are kept; beyond that, the least recently used one is dropped.
  ///   - now: The time in seconds since 1970.
  public init(
    _ authority: CertificateAuthority, lifetime: Duration, minimum: TLSVersion = .tls12, capacity: Int = 1000,
    now: @escaping @Sendable () -> Int64 = UTC.now
  ) throws(CryptographyError) {
    state = Monitor(State(authority: authority, key: try authority.makeLeafKey()))
    self.lifetime = lifetime.components.seconds
    self.minimum = minimum
    self.capacity = capacity
    self.now = now
  }

  /// Issues certificates of `authority` from now on, and drops those of the previous one.
  public func use(_ authority: CertificateAuthority) throws(CryptographyError) {
    let key = try authority.makeLeafKey()
    state.withLock { state in
      state.authority = authority
      state.key = key
      state.leaves = [:]
    }
  }

  /// The context for `host`, if there is a certificate that need not be replaced.
  public func cached(for host: String) -> TLSServerContext? {
    guard let host = CertifiedHost(host) else { return nil }
    let now = now()
    return state.withLock { Self.leaf(of: host, &$0, now) }
  }

  /// How many certificates were made.
  public var issued: UInt64 { state.withLock { $0.issued } }

  /// The context for `host`; makes a certificate unless there is one. This can take milliseconds, so event loops call it on
  /// another thread. If another thread is making the certificate, this one waits for it.
  public func mint(for text: String) throws(LeafError) -> TLSServerContext {
    guard let host = CertifiedHost(text) else { throw .noHost(text) }
    let now = now()
    let (found, authority, key) = state.wait(while: { $0.inTheMaking.contains(host) }) { state in
      let found = Self.leaf(of: host, &state, now)
      if found == nil { state.inTheMaking.insert(host) }
      return (found, state.authority, state.key)
    }
    if let found { return found }
    defer {
      state.withLock { _ = $0.inTheMaking.remove(host) }
      state.wakeAll()
    }
    let leaf = try make(host, authority, key, now)
    state.withLock { state in
      state.issued += 1
      // Another authority may have replaced this one meanwhile.
      guard state.authority === authority else { return }
      state.uses += 1
      state.leaves[host] = leaf
      state.leaves[host]?.lastUse = state.uses
      guard state.leaves.count > capacity else { return }
      // Comparing a thousand numbers takes less time than making the added certificate.
      if let oldest = state.leaves.min(by: { $0.value.lastUse < $1.value.lastUse })?.key { state.leaves[oldest] = nil }
    }
    return leaf.context
  }

  private func make(
    _ host: CertifiedHost, _ authority: CertificateAuthority, _ key: PrivateKey, _ now: Int64
  ) throws(LeafError) -> Leaf {
    guard authority.notBefore <= now, now < authority.notAfter else {
      throw .authorityNotValid(until: UTC.date(authority.notAfter))
    }
    do {
      let certificate = try authority.issue(
        for: host, key: key, notBefore: now, notAfter: now + lifetime, allowsRSAKeyExchange: minimum.isWeak)
      guard authority.permits(certificate) else { throw LeafError.outOfScope("\(host)") }
      let context = try TLSServerContext(
        TLSIdentity(certificates: [certificate] + authority.intermediates, key: key), minimum: minimum,
        pausesAtHello: true)
      return Leaf(
        context: context, notBefore: certificate.notBefore, renewal: now + (certificate.notAfter - now) * 2 / 3)
    } catch let error as LeafError {
      throw error
    } catch {
      throw .failed("making a certificate for \(host) failed: \(error)")
    }
  }

  private static func leaf(of host: CertifiedHost, _ state: inout State, _ now: Int64) -> TLSServerContext? {
    guard let leaf = state.leaves[host], leaf.notBefore <= now, now < leaf.renewal else { return nil }
    state.uses += 1
    state.leaves[host]?.lastUse = state.uses
    return leaf.context
  }
}

/// Why there is no certificate for a host.
public enum LeafError: Error, Hashable, CustomStringConvertible {
  /// The requested name is neither a host name nor an address.
  case noHost(String)
  /// The constraints of the authority's certificate do not permit the host.
  case outOfScope(String)
  /// The authority's certificate has expired, or is not valid yet.
  case authorityNotValid(until: String)
  /// OpenSSL failed, for example because there was no memory.
  case failed(String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .noHost(let host): "there can be no certificate for \"\(host)\", which is not the name of a host"
    case .outOfScope(let host):
      "the name constraints of the certificate authority do not permit \(host); \"m2m-proxy ca init --force\" makes one "
        + "for the hosts that are in proxy.conf now"
    case .authorityNotValid(let end):
      "the certificate authority is not valid now (its last day: \(end)); \"m2m-proxy ca init --force\" makes a new one"
    case .failed(let reason): reason
    }
  }
}

/// The subject of a server's certificate (RFC 9525): a DNS name or an address.
public enum CertifiedHost: Hashable, Sendable {
  /// A host name in lower case without a final dot.
  case name(String)
  /// An address, which the URL contains literally.
  case address(IPAddress)

  /// Parses `text`, in which IPv6 has no brackets; nil if a certificate cannot contain it.
  public init?(_ text: String) {
    if let address = IPAddress(text) {
      self = .address(address)
      return
    }
    let name = (text.hasSuffix(".") ? String(text.dropLast()) : text).lowercased()
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    // The name goes into OpenSSL's configuration syntax, in which commas and colons have a meaning.
    guard name.utf8.count <= 253, labels.allSatisfy(Self.isLabel) else { return nil }
    self = .name(name)
  }

  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    (1...63).contains(label.count)
      && label.allSatisfy { byte in
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      }
  }

  /// The alternative name in the syntax of OpenSSL's configuration.
  var alternativeName: String {
    switch self {
    case .name(let name): "DNS:\(name)"
    case .address(let address): "IP:\(address.text)"
    }
  }
}

extension CertifiedHost: CustomStringConvertible {
  /// The host, an IPv6 address without brackets.
  public var description: String {
    switch self {
    case .name(let name): name
    case .address(let address): address.text
    }
  }
}
