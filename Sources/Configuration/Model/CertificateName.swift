public import Cryptography

/// What a client's certificate says of whom it is for.
public enum CertificateName: Sendable, Hashable {
  /// Its whole subject.
  case subject(DistinguishedName)
  /// One of its alternative names: a DNS name, in small letters.
  case dns(String)
  /// One of its alternative names: a URI, such as a SPIFFE id.
  case uri(String)
  /// One of its alternative names: an e-mail address.
  case email(String)
}
