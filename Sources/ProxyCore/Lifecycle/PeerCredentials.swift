internal import Interception

/// What a connection says by itself about who is at its other end.
struct PeerCredentials {
  /// The user of the process that connected to a Unix socket; nil for other sockets.
  var uid: UInt32?
  /// The certificate that the client has shown, verified; nil without one.
  var certificate: PeerCertificate?
}
