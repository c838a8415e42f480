internal import Callers
internal import Interception
internal import Secrets

/// Which of the callers of proxy.conf is at the other end of a connection.
///
/// Callers have numbers in a ``CallerDirectory``, and a reload may bring another directory while requests of the one before are
/// under way. So no number leaves this value without the directory that it is for.
struct CallerOfConnection {
  /// What the connection itself says about its other end.
  var peer = PeerCredentials() {
    didSet { ofPeer = .unknown }
  }

  private enum Lookup {
    case unknown
    case known(Int?)
  }

  /// The directory that the numbers here refer to; nil if proxy.conf has no callers.
  private(set) var directory: CallerDirectory?
  // Looked up when the first request needs it.
  private var ofPeer = Lookup.unknown
  // The caller that CONNECT named; it holds for all requests inside the tunnel.
  private var ofTunnel: String?
  private var password: (field: Secret, caller: Int)?

  init(_ directory: CallerDirectory?) { self.directory = directory }

  /// Numbers are for `directory` from now on.
  mutating func adopt(_ directory: CallerDirectory?) {
    guard directory !== self.directory else { return }
    self.directory = directory
    ofPeer = .unknown
    // The next request checks it again, which is quick for a password that is still right.
    password = nil
  }

  /// The number in `directory` of the caller that the connection, or the CONNECT that it began with, names; nil if unknown.
  mutating func caller(in directory: CallerDirectory) -> Int? {
    guard directory === self.directory else { return find(in: directory) }
    if case .known(let caller) = ofPeer { return caller }
    let caller = find(in: directory)
    ofPeer = .known(caller)
    return caller
  }

  private func find(in directory: CallerDirectory) -> Int? {
    if let ofTunnel { return directory.names.firstIndex(of: ofTunnel) }
    return directory.caller(of: peer)
  }

  /// CONNECT came from `caller`, a number in `directory`.
  mutating func enterTunnel(_ caller: Int?, in directory: CallerDirectory) {
    ofTunnel = caller.map { directory.names[$0] }
    ofPeer = .unknown
  }

  /// The field with the user and password that were verified last, and the caller in `directory` that they belong to.
  func password(in directory: CallerDirectory) -> (field: Secret, caller: Int)? {
    directory === self.directory ? password : nil
  }

  /// `field` has the user and password of `caller`, a number in `directory`.
  mutating func remember(_ field: Secret, of caller: Int, in directory: CallerDirectory) {
    if directory === self.directory { password = (field, caller) }
  }

  /// The number of the caller for telling clients apart; nil if it is not known.
  var known: Int? {
    mutating get {
      guard let directory else { return nil }
      return password?.caller ?? caller(in: directory)
    }
  }
}

/// What a connection says by itself about who is at its other end.
struct PeerCredentials {
  /// The user of the process that connected to a Unix socket; nil for other sockets.
  var uid: UInt32?
  /// The certificate that the client has shown, verified; nil without one.
  var certificate: PeerCertificate?
}

extension CallerDirectory {
  /// The caller with this certificate, or else the one that runs as this user.
  func caller(of peer: PeerCredentials) -> Int? {
    if let certificate = peer.certificate,
      let caller = caller(
        subject: certificate.subject, dnsNames: certificate.dnsNames, uris: certificate.uris,
        emails: certificate.emails)
    {
      return caller
    }
    return peer.uid.flatMap { caller(uid: $0) }
  }
}
