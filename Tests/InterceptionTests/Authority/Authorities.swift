import COpenSSL
import Cryptography
import Locks

@testable import Interception

/// 2026-11-27 12:00 UTC.
let noon: Int64 = 1_795_780_800
let day: Int64 = 86_400

/// A clock that stands still until it is set.
final class SettableClock: Sendable {
  private let time = Monitor(noon)

  var now: Int64 {
    get { time.withLock { $0 } }
    set { time.withLock { $0 = newValue } }
  }
}

/// An authority that may issue certificates for `hosts`, or for all.
func authority(_ hosts: [String]?, lifetime: Int64 = 3650 * day, from start: Int64 = noon) throws
  -> CertificateAuthority
{
  let scope = hosts.map { AuthorityScope($0.map { CertifiedHost($0)! }) }
  return try CertificateAuthority.make(name: "test", scope: scope, now: start, lifetime: lifetime)
}

/// A certificate that `issuer` signs, or one that signs itself.
func certificate(
  _ name: String, _ key: PrivateKey, issuer: (Certificate, PrivateKey)? = nil,
  extensions: [(Int32, String)] = [
    (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign"),
    (NID_subject_key_identifier, "hash"),
  ],
  notBefore: Int64 = noon - day, notAfter: Int64 = noon + 3650 * day
) throws -> Certificate {
  let builder = try CertificateBuilder(for: key, notBefore: notBefore, notAfter: notAfter)
  try builder.setSubject(NID_commonName, name)
  try builder.setIssuer(issuer?.0)
  for (kind, value) in extensions { try builder.add(kind, value, issuer: issuer?.0) }
  if let issuer { try builder.add(NID_authority_key_identifier, "keyid:always", issuer: issuer.0) }
  return try builder.signed(with: issuer?.1 ?? key)
}
