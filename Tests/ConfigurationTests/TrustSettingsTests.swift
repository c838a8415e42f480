import Configuration
import Foundation
import Outbound
import Secrets
import Testing

@Suite("tls")
struct TrustSettingsTests {
  /// A configuration that trusts `top`, and where credentials and a route say `credentials` and `route` about trust.
  private func load(
    _ top: String = "", credentials: String = "", route: String = "", upstream: String = "https://127.0.0.1:1",
    endpoint: String = "https://id.example/token"
  ) throws -> ProxyConfiguration {
    let text = """
      \(top)
      credentials:
        idp: { token_endpoint: "\(endpoint)", client_id: id, client_secret: { env: SECRET }\(credentials) }
      routes:
        - { name: api, match: api.internal, forward_to: "\(upstream)"\(route) }
        - { name: plain, match: plain.internal, forward_to: "http://127.0.0.1:1" }
      """
    return try ConfigurationLoader.parse(Array(text.utf8), fileName: "proxy.conf", environment: ["SECRET": "s3cret"])
  }

  private func problems(
    _ top: String = "", credentials: String = "", route: String = "", upstream: String = "https://127.0.0.1:1",
    endpoint: String = "https://id.example/token"
  ) -> [String] {
    do {
      _ = try load(top, credentials: credentials, route: route, upstream: upstream, endpoint: endpoint)
      return []
    } catch let error as ConfigurationError {
      return error.problems.map(\.message)
    } catch {
      return ["\(error)"]
    }
  }

  private func withAuthorities<R>(_ body: (String) throws -> R) throws -> R {
    let file = FileManager.default.temporaryDirectory.appending(path: "m2m-ca-\(UUID().uuidString).pem")
    try Data("-----BEGIN CERTIFICATE-----\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }  // One that is left does no harm.
    return try body(file.path)
  }

  @Test("the innermost counts, as a whole")
  func innermost() throws {
    try withAuthorities { file in
      let outer = try load("tls: { ca_file: \(file), system_roots: true }")
      let both = TrustSettings(caFile: file, addsSystemRoots: true)
      #expect(outer.tls == both && outer.credentials[0].trust == both && outer.routes.map(\.trust) == [both, both])
      let inner = try load(
        "tls: { ca_file: \(file), system_roots: true }", credentials: ", tls: {}", route: ", tls: { ca_file: \(file) }")
      #expect(inner.credentials[0].trust == TrustSettings())
      #expect(inner.routes.map(\.trust) == [TrustSettings(caFile: file), both])
    }
    // Without a file the system's authorities are all there is, whether or not that is written.
    #expect(try load("tls: { system_roots: true }").tls == TrustSettings())
  }

  @Test("trust in no authority, or without TLS, is a problem")
  func problem() {
    #expect(
      problems(route: ", tls: { system_roots: false }") == [
        "routes[0].tls.system_roots is false, and there is no ca_file: nothing would be trusted"
      ])
    #expect(
      problems(route: ", tls: {}", upstream: "http://127.0.0.1:1") == [
        "routes[0].tls is for TLS, and the upstream is http://127.0.0.1:1"
      ])
    #expect(
      problems(credentials: ", tls: {}", endpoint: "http://127.0.0.1:1/token") == [
        "credentials.idp.tls is for TLS, and the token endpoint is http://127.0.0.1:1"
      ])
    #expect(
      problems(credentials: ", tls: { ca_file: /nowhere/ca.pem }").first?.hasPrefix(
        "credentials.idp.tls.ca_file names the file /nowhere/ca.pem, which cannot be read") == true)
  }
}
