import Addresses
import Configuration
import Cryptography
import Foundation
import Secrets
import Testing

@Suite("Listeners in proxy.conf")
struct ListenerTests {
  private func listen(_ text: String) throws -> [ListenerSettings] {
    try configuration("\(faultless)listen: \(text)\n").listen
  }

  private func complaints(_ text: String) -> [String] { problems("\(faultless)listen: \(text)\n") }

  @Test("are TCP addresses, Unix sockets, or what systemd passes")
  func kinds() throws {
    let listen = try listen("[8081, 'unix:/run/m2m-proxy/x.sock', systemd, 'systemd:web.socket']")
    #expect(
      listen.map(\.address) == [
        ListenAddress(host: "127.0.0.1", port: 8081), .unix(path: "/run/m2m-proxy/x.sock"), .systemd(name: nil),
        .systemd(name: "web.socket"),
      ])
    #expect(
      listen.map(\.address.description) == [
        "127.0.0.1:8081", "unix:/run/m2m-proxy/x.sock", "systemd", "systemd:web.socket",
      ])
    #expect(listen.map(\.address.isLocal) == [true, true, false, false])
    #expect(listen.map(\.browserRequests) == [.refuse, .allow, .allow, .allow])
  }

  @Test("on a Unix socket are for the proxy's own user, or for whom proxy.conf names")
  func permissions() throws {
    #expect(try listen("'unix:/x'")[0].permissions == SocketPermissions(mode: 0o600, owner: nil, group: nil))
    let written = "{ address: 'unix:/x', mode: 0660, owner: root, group: 12 }"
    #expect(try listen(written)[0].permissions == SocketPermissions(mode: 0o660, owner: 0, group: 12))
    #expect(try listen("{ address: 'unix:/x', mode: 622 }")[0].permissions.mode == 0o622)
  }

  @Test("at a path that is not absolute count from the directory of proxy.conf")
  func relative() throws {
    let text = "\(faultless)listen: unix:run/x.sock\n"
    let loaded = try ConfigurationLoader.parse(
      Array(text.utf8), fileName: "/etc/m2m-proxy/proxy.conf", environment: Environment(environment))
    #expect(loaded.listen[0].address == .unix(path: "/etc/m2m-proxy/run/x.sock"))
  }

  @Test("by systemd get the rules of the address that they turn out to have")
  func passed() throws {
    let settings = try listen("systemd")[0]
    #expect(settings.warning == nil)
    let loopback = settings.at(ListenAddress(host: "127.0.0.1", port: 80))
    #expect(loopback.browserRequests == .refuse && loopback.warning == nil)
    let open = settings.at(ListenAddress(host: "0.0.0.0", port: 80))
    #expect(open.browserRequests == nil, "it depends on the connection")
    #expect(open.warning?.hasPrefix("is 0.0.0.0:80: any client that reaches this port") == true)
    let written = try listen("{ address: systemd, browser_requests: allow, allow: 10.0.0.0/8 }")[0]
    #expect(written.at(ListenAddress(host: "127.0.0.1", port: 80)).browserRequests == .allow)
    #expect(written.at(ListenAddress(host: "0.0.0.0", port: 80)).warning == nil)
  }

  @Test("behind load balancers name them by their addresses, or are Unix sockets")
  func loadBalancers() throws {
    #expect(try listen("8081")[0].proxyProtocol == .off)
    let named = try listen("{ address: 8081, proxy_protocol: [10.0.0.0/8, '::1'] }")
    guard case .networks(let networks) = named[0].proxyProtocol else {
      Issue.record("no networks")
      return
    }
    #expect(networks.map(\.description) == ["10.0.0.0/8", "::1"])
    #expect(try listen("{ address: 'unix:/x', proxy_protocol: on, allow: 10.0.0.0/8 }")[0].proxyProtocol == .all)
    #expect(
      try warnings("\(faultless)listen: { address: 8081, proxy_protocol: [10.0.0.1, 0.0.0.0/0] }\n") == [
        "5:42: listen.proxy_protocol lets every client claim any address; name only the load balancers"
      ])
  }

  @Test("speak TLS with a certificate, and may ask clients for theirs")
  func tls() throws {
    try withFiles { certificate, key, lists in
      let shown = "certificate: \(certificate), key: \(key)"
      let plain = try listen("{ address: 8081, tls: { \(shown) } }")[0].tls
      #expect(plain == ListenerTLS(certificateFile: certificate, keyFile: key))
      let asking = try listen("{ address: 'unix:/x', tls: { \(shown), client_ca: \(certificate) } }")[0].tls
      #expect(asking?.clientCAFile == certificate && asking?.requiresClientCertificate == true)
      let written = "client_ca: \(certificate), client_certificates: optional"
      let optional = try listen("{ address: systemd, tls: { \(shown), \(written) } }")[0].tls
      #expect(optional?.requiresClientCertificate == false)
      let revoking = "{ address: 8081, tls: { \(shown), client_ca: \(certificate), client_crl: \(lists) } }"
      #expect(try listen(revoking)[0].tls?.clientCRLFile == lists)
      #expect(try warnings("\(faultless)listen: \(revoking)\n") == [])
      #expect(plain?.minimum == .tls12)
      for minimum in TLSVersion.allCases {
        let text = "{ address: 8081, tls: { \(shown), minimum: \(minimum.rawValue) } }"
        #expect(try listen(text)[0].tls?.minimum == minimum)
        let remarks = try warnings("\(faultless)listen: \(text)\n")
        #expect(remarks.count == (minimum.isWeak ? 1 : 0))
        #expect(remarks.allSatisfy { $0.contains("listen.tls.minimum is \(minimum.rawValue), so that weak ciphers") })
      }
      for (text, expected) in [
        ("{ \(shown), minimum: 1.4 }", #"listen.tls.minimum must be 1.0, 1.1, 1.2 or 1.3, not "1.4""#),
        ("{ \(shown), client_certificates: required }", "listen.tls.client_certificates needs client_ca"),
        ("{ certificate: \(certificate) }", "listen.tls.key is missing"),
        ("{ certificate: \(key), key: \(key) }", "holds no certificate in PEM form"),
        ("{ \(shown), client_ca: \(key) }", "listen.tls.client_ca names the file \(key), which holds no certificate"),
        ("{ \(shown), client_ca: \(certificate), client_certificates: off }", "must be required or optional"),
        ("{ \(shown), client_crl: \(lists) }", "listen.tls.client_crl needs client_ca"),
        (
          "{ \(shown), client_ca: \(certificate), client_crl: \(certificate) }",
          "listen.tls.client_crl names the file \(certificate), which holds no revocation list in PEM form"
        ),
        ("on", "listen.tls must be { certificate: FILE, key: FILE } of PEM files, not text"),
      ] {
        let found = complaints("{ address: 8081, tls: \(text) }")
        #expect(found.count == 1 && found.contains { $0.contains(expected) }, "\(found)")
      }
    }
  }

  private func withFiles(_ body: (_ certificate: String, _ key: String, _ lists: String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let (certificate, key, lists) = (
      directory.path + "/shown.pem", directory.path + "/shown.key", directory.path + "/lists.pem"
    )
    for (path, text) in [
      (certificate, ExampleClient.certificate), (key, ExampleClient.key), (lists, ExampleClient.revocationList),
    ] {
      let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o400]
      try #require(
        FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: attributes))
    }
    try body(certificate, key, lists)
  }

  @Test(
    "that cannot be are problems, each with what would be right",
    arguments: [
      ("/run/x.sock", #"not "/run/x.sock"; a Unix socket is written unix:/run/x.sock"#),
      ("'unix:'", "the path of the socket is missing"), ("unix:/run/", "the path of the socket is missing"),
      ("unix:///run/x", "one slash is enough"), ("'unix:@name'", "a socket without a file has no permissions"),
      ("'systemd:'", "systemd:NAME has the FileDescriptorName of the .socket unit"),
      ("'systemd:a:b'", "systemd:NAME has the FileDescriptorName of the .socket unit"),
      (
        "'unix:/\(String(repeating: "x", count: 107))'",
        "listen is a path of 108 bytes, and the system has room for 107"
      ),
      ("['unix:/x', 'unix:/x']", "listen[1] is unix:/x, which is already the address of listen[0]"),
      ("[systemd, systemd]", "listen[1] is systemd, which is already the address of listen[0]"),
      (
        "{ address: 'unix:/x', allow: 10.0.0.0/8 }",
        "listen.allow is for addresses, and clients of a Unix socket have none"
      ),
      ("{ address: 8080, proxy_protocol: on }", "must name the load balancers by their addresses"),
      ("{ address: 8080, proxy_protocol: off }", "must be an address or a range of addresses"),
      ("{ address: 'unix:/x', proxy_protocol: 10.0.0.1 }", "must be on for a Unix socket, where clients have no"),
      ("{ address: 8080, mode: 0660 }", "listen.mode is for a Unix socket (address: unix:/path)"),
      ("{ address: 8080, owner: root }", "listen.owner is for a Unix socket"),
      ("{ address: systemd, group: root }", "SocketGroup of the .socket unit"),
      ("{ address: 'unix:/x', mode: 0888 }", #"listen.mode must be permissions in octal such as 0660, not "0888""#),
      ("{ address: 'unix:/x', mode: rw }", "must be permissions in octal such as 0660"),
      ("{ address: 'unix:/x', mode: 66 }", "must be permissions in octal such as 0660"),
      ("{ address: 'unix:/x', mode: 4660 }", "three digits, for the owner, the group and all others"),
      ("{ address: 'unix:/x', mode: 0444 }", "clients need permission to write"),
      (
        "{ address: 'unix:/x', owner: nobody-at-all }",
        #"listen.owner names the user "nobody-at-all", which this machine does not know"#
      ),
      (
        "{ address: 'unix:/x', group: no-such-group }",
        #"listen.group names the group "no-such-group", which this machine does not know"#
      ),
      ("{ address: 'unix:/x', owner: 4294967295 }", "which this machine does not know"),
    ])
  func wrong(text: String, expected: String) {
    let found = complaints(text)
    #expect(found.count == 1 && found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test("for health and metrics are TCP only", arguments: ["unix:/x", "systemd", "systemd:admin"])
  func admin(text: String) {
    let found = problems("\(faultless)admin: '\(text)'\n")
    #expect(found.contains { $0.contains("health and metrics are served over TCP only") }, "\(found)")
  }
}
