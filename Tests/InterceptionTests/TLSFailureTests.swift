import Interception
import SystemPackage
import Testing

@Suite("A failed handshake")
struct TLSFailureTests {
  static let failures: [TLSFailure] = [
    .distrusted(alert: "unknown_ca"), .closed, .timedOut, .crowded, .plainHTTP, .notTLS,
    .version(offered: "TLS 1.1", minimum: "TLS 1.2"), .oldForm,
    .incompatible("no shared cipher"),
    .withoutHTTP11, .certificateMissing, .certificateRefused("certificate has expired"), .certificateRevoked("CN=erp"),
    .revocationUnknown("CRL has expired", issuer: "CN=CA"), .broken("bad record mac"), .system(.timedOut),
  ]

  @Test("has a sentence that says what happened", arguments: failures)
  func isDescribed(_ failure: TLSFailure) {
    #expect(failure.detail.hasSuffix("."))
  }
}
