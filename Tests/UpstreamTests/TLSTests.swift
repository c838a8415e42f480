import Foundation
import Glibc
import Locks
import LoopbackTesting
import Outbound
import Reactor
import Testing
import Upstream

@Suite struct TLSTests {
  private func connect(
    _ server: TLSServer, authority: String?, host: String = "127.0.0.1"
  ) throws -> (PoolOnLoop, Result<UpstreamConnection, UpstreamError>) {
    let pool = try PoolOnLoop(
      UpstreamOrigin(
        isSecure: true, host: host, port: server.port,
        options: ConnectionOptions(trust: TrustSettings(caFile: authority))))
    return (pool, try pool.connect())
  }

  @Test(
    "a server with the right name and a trusted certificate is spoken to, again and again",
    arguments: [
      ["-tls1_3"], ["-tls1_2"],
    ])
  func trusted(options: [String]) throws {
    let server = try TLSServer(names: "IP:127.0.0.1,DNS:localhost", options: options)
    let (pool, result) = try connect(server, authority: server.authority)
    let connection = try result.get()
    #expect(try pool.exchange(connection, "hello\n", upTo: "\n") == "olleh\n")
    try pool.release(connection)
    // Session tickets have arrived since, and are no reason to drop the connection.
    let again = try pool.connect().get()
    #expect(again === connection)
    #expect(try pool.exchange(again, "again\n", upTo: "\n") == "niaga\n")
  }

  @Test("much content arrives whole: more than a TLS record, and more than the kernel takes at once")
  func manyRecords() throws {
    let server = try TLSServer(names: "IP:127.0.0.1")
    let (pool, result) = try connect(server, authority: server.authority)
    let connection = try result.get()
    for round in 0..<20 {
      let line = String(repeating: "x", count: 10_000) + "\(round % 10)\n"
      #expect(try pool.exchange(connection, line, upTo: "\n") == String(line.dropLast().reversed()) + "\n")
    }
  }

  /// How a connection ends after `requests` lines that were answered: with close_notify, or by TCP alone.
  private func ending(
    after requests: Int, withNotice: Bool, acceptsTruncation: Bool = false, _ version: String
  ) throws -> String {
    let server = try TLSServer(names: "IP:127.0.0.1", options: [version])
    let pool = try PoolOnLoop(
      UpstreamOrigin(
        isSecure: true, host: "127.0.0.1", port: server.port,
        options: ConnectionOptions(
          acceptsTruncation: acceptsTruncation, trust: TrustSettings(caFile: server.authority))))
    let connection = try pool.connect().get()
    for _ in 0..<requests { #expect(try pool.exchange(connection, "hello\n", upTo: "\n") == "olleh\n") }
    // s_server ends the connection at this line, in order.
    guard withNotice else {
      // With something unread the kernel would reset the connection.
      try server.waitForHandshake()
      server.end()
      return try pool.exchange(connection, "", upTo: "\n")
    }
    return try pool.exchange(connection, "CLOSE\n", upTo: "\n")
  }

  // Up to the first answer libcurl reads, and after it SecureStream.
  @Test(
    "an end of TLS is told from an end of TCP alone, by libcurl's session and by ours", arguments: [0, 1, 2],
    ["-tls1_2", "-tls1_3"])
  func truncation(requests: Int, version: String) throws {
    #expect(try ending(after: requests, withNotice: true, version) == "endOfStream")
    #expect(try ending(after: requests, withNotice: false, version) == "failed(\(StreamError.truncated))")
    #expect(try ending(after: requests, withNotice: false, acceptsTruncation: true, version) == "endOfStream")
  }

  @Test("a certificate for another name is refused")
  func wrongName() throws {
    let server = try TLSServer(names: "DNS:other.test")
    let result = try connect(server, authority: server.authority).1
    guard case .failure(.certificate(let detail)) = result else { return #expect(Bool(false), "\(result)") }
    #expect(detail.contains("127.0.0.1"))
  }

  @Test("a certificate of an authority that is not trusted is refused, the system's roots notwithstanding")
  func unknownAuthority() throws {
    let server = try TLSServer(names: "IP:127.0.0.1")
    let other = try TLSServer(names: "IP:127.0.0.1")
    for authority in [nil, other.authority] {
      let result = try connect(server, authority: authority).1
      guard case .failure(.certificate) = result else { return #expect(Bool(false), "\(result)") }
    }
  }

  @Test(
    "what one trust has verified, a connection or a session, is of no use to another",
    arguments: ["-tls1_2", "-tls1_3"])
  func trusts(version: String) throws {
    let server = try TLSServer(names: "IP:127.0.0.1", options: [version])
    let stranger = try TLSServer(names: "IP:127.0.0.1")
    let settings = [TrustSettings(caFile: server.authority), TrustSettings(caFile: stranger.authority)]
    let origins = settings.map {
      UpstreamOrigin(
        isSecure: true, host: "127.0.0.1", port: server.port, options: ConnectionOptions(trust: $0))
    }
    let one = try PoolOnLoop(origins[0], trust: TrustStores(settings))
    let other = try PoolOnLoop(beside: one, origins[1])
    let connection = try one.connect().get()
    // Sessions of TLS 1.3 come after the handshake.
    #expect(try one.exchange(connection, "hello\n", upTo: "\n") == "olleh\n")
    try one.discard(connection)
    let result = try other.connect()
    guard case .failure(.certificate) = result else { return #expect(Bool(false), "\(result)") }
    try one.release(one.connect().get())
    #expect(try one.figures() == [1, 1, 0])
  }

  @Test("a file that is replaced ends idle connections at once, and others when they are given back")
  func replacedFile() throws {
    let server = try TLSServer(names: "IP:127.0.0.1")
    let stranger = try TLSServer(names: "IP:127.0.0.1")
    let file = FileManager.default.temporaryDirectory.appending(path: "m2m-trust-\(UUID().uuidString).pem")
    defer { try? FileManager.default.removeItem(at: file) }  // One that is left does no harm.
    try Data(contentsOf: URL(filePath: server.authority)).write(to: file, options: .atomic)
    let settings = TrustSettings(caFile: file.path)
    let changes = Monitor<[TrustChange]>([])
    let trust = try TrustStores([settings]) { change in changes.withLock { $0.append(change) } }
    let pool = try PoolOnLoop(
      UpstreamOrigin(isSecure: true, host: "127.0.0.1", port: server.port, options: ConnectionOptions(trust: settings)),
      trust: trust)
    func put(_ authority: String) throws {
      try Data(contentsOf: URL(filePath: authority)).write(to: file, options: .atomic)
    }
    func waitForChanges(_ count: Int) { while changes.withLock({ $0.count }) < count { usleep(10_000) } }

    // s_server serves one connection at a time.
    let used = try pool.connect().get()
    try put(stranger.authority)
    waitForChanges(1)
    #expect(try pool.figures() == [1, 0, 0])
    try pool.release(used)
    #expect(try pool.figures() == [0, 0, 0])
    let result = try pool.connect()
    guard case .failure(.certificate) = result else { return #expect(Bool(false), "\(result)") }

    func connect() throws -> UpstreamConnection {
      while true {
        if case .success(let connection) = try pool.connect() { return connection }
        usleep(10_000)
      }
    }
    try put(server.authority)
    let pinned = try connect()
    try pool.pin(pinned)
    try put(stranger.authority)
    waitForChanges(3)
    #expect(try !pool.resume(pinned))
    #expect(try pool.figures() == [0, 0, 0])

    try put(server.authority)
    try pool.release(connect())
    #expect(try pool.figures() == [1, 1, 0])
    try Data("no certificate".utf8).write(to: file, options: .atomic)
    waitForChanges(5)
    // What was read before is still in use.
    #expect(changes.withLock { $0.map(\.problem?.source) } == [nil, nil, nil, nil, file.path])
    #expect(try pool.figures() == [1, 1, 0])
    try put(stranger.authority)
    // No request has to come for that.
    while try pool.figures() != [0, 0, 0] { usleep(10_000) }
  }

  @Test("TLS older than 1.2 is not spoken")
  func oldVersion() throws {
    let server = try TLSServer(names: "IP:127.0.0.1", options: ["-tls1_1", "-cipher", "ALL@SECLEVEL=0"])
    let result = try connect(server, authority: server.authority).1
    guard case .failure(.alert(let alert)) = result else { return #expect(Bool(false), "\(result)") }
    #expect(alert.description == "protocol_version (70)" && alert.subject == .version)
  }

  @Test("alerts have a name, a number and a subject; an unknown one has its number")
  func alerts() {
    #expect(TLSAlert(116).description == "certificate_required (116)" && TLSAlert(116).subject == .missingCertificate)
    #expect(TLSAlert(48).description == "unknown_ca (48)" && TLSAlert(48).subject == .certificate)
    #expect(TLSAlert(200).description == "200" && TLSAlert(200).subject == .other)
    #expect("\(UpstreamError.alert(TLSAlert(120)))".contains("no_application_protocol (120)"))
  }

  @Test("a CA file that is not there, or holds no certificate, is an error that names it")
  func trustStore() throws {
    for path in ["/nowhere/ca.pem", "/dev/null"] {
      let error = #expect(throws: TrustStoreError.self) { try TrustStores([TrustSettings(caFile: path)]) }
      #expect("\(try #require(error))".contains(path))
    }
  }
}
