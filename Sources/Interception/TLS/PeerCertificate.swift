internal import COpenSSL

/// What a client's verified certificate says about who the client is.
public struct PeerCertificate: Hashable, Sendable {
  /// The subject as RFC 4514 writes it, the most specific part first: `CN=erp,O=Example`.
  public var subject: String
  /// The subject's alternative names that are DNS names.
  public var dnsNames: [String]
  /// Those that are URIs, as SPIFFE has them.
  public var uris: [String]
  /// Those that are mail addresses.
  public var emails: [String]

  /// A certificate that says so.
  public init(subject: String, dnsNames: [String] = [], uris: [String] = [], emails: [String] = []) {
    self.subject = subject
    self.dnsNames = dnsNames
    self.uris = uris
    self.emails = emails
  }

  /// What `certificate`, an X509, says.
  init(reading certificate: OpaquePointer) {
    var subject = ""
    if let text = unsafe copenssl_name_text(X509_get_subject_name(certificate)) {
      subject = unsafe String(cString: text)
      unsafe copenssl_free_text(text)
    }
    self.init(subject: subject)
    // The pointer is used during the call only.
    unsafe withUnsafeMutablePointer(to: &self) { names in
      unsafe copenssl_alternative_names(certificate, names) { names, kind, text, count in
        let names = unsafe names!.assumingMemoryBound(to: PeerCertificate.self)
        let bytes = unsafe UnsafeRawBufferPointer(start: text, count: Int(count))
        let name = unsafe String(decoding: bytes, as: UTF8.self)
        switch kind {
        case GEN_DNS: unsafe names.pointee.dnsNames.append(name)
        case GEN_URI: unsafe names.pointee.uris.append(name)
        default: unsafe names.pointee.emails.append(name)
        }
      }
    }
  }
}
