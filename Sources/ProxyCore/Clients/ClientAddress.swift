internal import Glibc
internal import Locks
internal import Reactor
internal import Upstream

/// What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 address, of which a machine usually has
/// all that follow; a user, on a Unix socket.
struct ClientAddress: Hashable {
  private let family: Int32
  private let network: UInt64

  /// The client at the other end of a connection.
  init(_ peer: SocketPeer) {
    switch peer {
    case .address(let endpoint): self.init(endpoint)
    case .user(let id): self.init(user: id)
    }
  }

  private init(user: UInt32) {
    family = AF_UNIX
    network = UInt64(user)
  }

  /// The client at `peer`, an address with a port as the listener writes it; an IPv4 address mapped into IPv6 is the
  /// IPv4 address. What is no address (that of a peer that is gone already) is one client called 0.0.0.0.
  init(_ peer: String) {
    let host = peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]
    guard host.hasPrefix("[") else {
      family = AF_INET
      network = Self.number(Self.bytes(of: String(host), AF_INET, count: 4)[...])
      return
    }
    // An interface scope is not part of the address.
    let address = Self.bytes(of: String(host.dropFirst().prefix { $0 != "]" && $0 != "%" }), AF_INET6, count: 16)
    let isMapped = address.prefix(10).allSatisfy { $0 == 0 } && address[10] == 0xff && address[11] == 0xff
    family = isMapped ? AF_INET : AF_INET6
    network = Self.number(isMapped ? address[12...] : address[..<8])
  }

  /// The client for whom passwords count: this machine is one, whichever of its loopback addresses it takes. Anybody on it has
  /// all sixteen million of 127.0.0.0/8.
  var asGuesser: ClientAddress {
    // Of an IPv6 address the first half is kept; that of ::1 is zero.
    let isLoopback = family == AF_INET && network >> 24 == 127 || family == AF_INET6 && network == 0
    return isLoopback ? ClientAddress("127.0.0.1:0") : self
  }

  private static func bytes(of text: String, _ family: Int32, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    unsafe _ = inet_pton(family, text, &bytes)
    return bytes
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The client as one of those that share connections.
  var key: ClientKey { ClientKey(kind: family, number: network) }
}

extension ClientKey {
  // No address family has this number.
  private static var callers: Int32 { 1 << 16 }

  /// The caller with this number, wherever its requests come from.
  init(caller: Int) { self.init(kind: Self.callers, number: UInt64(caller)) }
}

/// How many connections every client has, all loops together.
///
/// The kernel spreads a client's connections over the loops by chance, so a share of the limit for each loop would
/// refuse some clients long before others. The lock is taken once when a connection comes and once when it goes.
final class ClientCensus: Sendable {
  enum Admission {
    case counted
    /// It is not counted.
    case refused(ExchangeError)
  }

  private let limit: Int
  private let counts = Monitor<[ClientAddress: Int]>([:])

  /// - Parameter limit: how many connections a client may have.
  init(limit: Int) {
    self.limit = limit
  }

  /// Counts a connection of `client`, unless the client has as many as it may.
  ///
  /// - Parameter most: how many connections there is memory for, if that is less than the limit.
  func admit(_ client: ClientAddress, most: Int = .max) -> Admission {
    counts.withLock { counts in
      let count = counts[client, default: 0]
      guard count < limit else { return .refused(.tooManyConnections) }
      guard count < most else { return .refused(.noMemory) }
      counts[client] = count + 1
      return .counted
    }
  }

  /// A connection that was counted is no more.
  func leave(_ client: ClientAddress) {
    counts.withLock { counts in
      guard let count = counts[client] else { return }
      counts[client] = count > 1 ? count - 1 : nil
    }
  }

  /// How many clients have connections.
  var clients: Int { counts.withLock { $0.count } }
}

/// How a connection counts towards the limit of its client's connections.
enum ClientStanding {
  /// It is not known yet whose it is.
  case unknown
  /// It is one of those that the client may have.
  case counted(ClientAddress)
  /// It is one too many; the client is told why.
  case refused(ExchangeError)
}
