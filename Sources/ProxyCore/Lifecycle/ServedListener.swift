internal import Configuration

/// A listener as its connections meet it.
struct ServedListener: Sendable {
  /// Where it is, and who may use it.
  let settings: ListenerSettings
  /// What it shows to clients, which speak TLS then; nil for plain HTTP.
  let certificate: ListenerCertificate?

  init(_ settings: ListenerSettings, certificate: ListenerCertificate? = nil) {
    self.settings = settings
    self.certificate = certificate
  }

  /// The same for an address that is known only now.
  func at(_ address: ListenAddress) -> ServedListener {
    certificate?.isServed(at: "\(address)")
    return ServedListener(settings.at(address), certificate: certificate)
  }
}
