import Cryptography
import ExampleKeys
import Foundation
import Testing

@Suite("Client certificates")
struct TLSIdentityTests {
  /// What becomes of an identity whose files hold these texts; the names of the files are `cert` and `key`.
  private func complaint(certificate: String, key: String) throws -> String? {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("identity-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let files = [directory.appendingPathComponent("cert"), directory.appendingPathComponent("key")]
    try Data(certificate.utf8).write(to: files[0])
    try Data(key.utf8).write(to: files[1])
    do {
      let identity = try TLSIdentity(certificateFile: files[0].path, keyFile: files[1].path)
      return identity.hasExpired ? "has expired" : nil
    } catch {
      return error.description.replacing(directory.path + "/", with: "")
    }
  }

  @Test("are accepted with their key, with and without a chain behind them, also in one file")
  func accepted() throws {
    #expect(try complaint(certificate: ExampleKey.certificate, key: ExampleKey.p256) == nil)
    let chain = "\(ExampleKey.certificate)\n\(ExampleKey.expiredCertificate)\n"
    #expect(try complaint(certificate: chain, key: ExampleKey.p256SEC1) == nil)
    let both = "\(ExampleKey.p256)\n\(ExampleKey.certificate)\n"
    #expect(try complaint(certificate: both, key: both) == nil)
  }

  @Test("that have expired say so")
  func expired() throws {
    #expect(try complaint(certificate: ExampleKey.expiredCertificate, key: ExampleKey.p256) == "has expired")
  }

  @Test("with another key, no certificate or an encrypted key are refused, and the file is named")
  func refused() throws {
    #expect(
      try complaint(certificate: ExampleKey.certificate, key: ExampleKey.rsa)
        == "file key holds a key that does not belong to the certificate in cert")
    #expect(
      try complaint(certificate: ExampleKey.p256, key: ExampleKey.p256)
        == "file cert holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    #expect(
      try complaint(certificate: ExampleKey.certificate, key: ExampleKey.encrypted)?
        .hasPrefix("file key holds an encrypted key") == true)
  }

  @Test("whose files are not there are refused")
  func missing() {
    let error = #expect(throws: TLSIdentityError.self) {
      try TLSIdentity(certificateFile: "/nowhere/cert", keyFile: "/nowhere/key")
    }
    #expect(error?.description == "file /nowhere/key cannot be read: No such file or directory")
  }
}
