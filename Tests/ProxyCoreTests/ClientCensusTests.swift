import Callers
import Configuration
import Interception
import Reactor
import Testing
import Upstream

@testable import ProxyCore

@Suite("Connections of a client") struct ClientCensusTests {
  @Test("are admitted up to the limit, and one that ends makes room")
  func limit() {
    let census = ClientCensus(limit: 2)
    let client = ClientAddress("192.0.2.1:1000")
    #expect(census.admits(client))
    #expect(census.admits(ClientAddress("192.0.2.1:1001")))
    #expect(!census.admits(client))
    #expect(census.admits(ClientAddress("192.0.2.2:1000")))
    census.leave(client)
    #expect(census.admits(client))
    #expect(!census.admits(client))
  }

  @Test("no more are admitted than there is memory for")
  func memory() {
    let census = ClientCensus(limit: 3)
    let client = ClientAddress("192.0.2.1:1000")
    #expect(census.admits(client) && census.admits(client))
    guard case .refused(let error) = census.admit(client, most: 2), error.kind == .internal(.memory) else {
      Issue.record("a third one is admitted, or refused for another reason")
      return
    }
    #expect(census.admits(client))
    guard case .refused(let error) = census.admit(client, most: 2), error.kind == .internal(.tooManyConnections) else {
      Issue.record("a fourth one is admitted, or refused for another reason")
      return
    }
  }

  @Test("a client without connections is forgotten")
  func forgotten() {
    let census = ClientCensus(limit: 2)
    let client = ClientAddress("192.0.2.1:1000")
    _ = census.admit(client)
    _ = census.admit(client)
    #expect(census.clients == 1)
    census.leave(client)
    census.leave(client)
    #expect(census.clients == 0)
  }

  @Test("shares connections under one key: of its address, its user, or its caller")
  func keys() {
    let peers = ["127.0.0.1:1", "127.0.0.2:1", "[::1]:1", "0.0.0.1:1", "[2001:db8:0:1::1]:1"].map(SocketPeer.address)
    let keys = (peers + [.user(1), .user(2)]).map { ClientAddress($0).key } + [0, 1, 2].map { ClientKey(caller: $0) }
    #expect(Set(keys + [.anyone]).count == keys.count + 1)
    #expect(ClientAddress("127.0.0.2:9").key == keys[1])
    #expect(ClientAddress("[::ffff:127.0.0.2]:9").key == keys[1])
    #expect(ClientAddress("[2001:db8:0:1:2::]:9").key == keys[4])
  }
}

extension ClientCensus {
  fileprivate func admits(_ client: ClientAddress) -> Bool {
    if case .counted = admit(client) { true } else { false }
  }
}

@Suite("The caller at the other end of a connection") struct PeerCredentialsTests {
  @Test("is known by its certificate first, then by its user")
  func caller() {
    let directory = CallerDirectory(
      [Caller(name: "cron", uid: 1001), Caller(name: "dns", certificate: .dns("erp.internal"))], passwords: nil)
    let certificate = PeerCertificate(subject: "CN=x", dnsNames: ["erp.internal"])
    let other = PeerCertificate(subject: "CN=y", dnsNames: ["other.internal"])
    func caller(_ uid: UInt32?, _ certificate: PeerCertificate? = nil) -> Int? {
      directory.caller(of: PeerCredentials(uid: uid, certificate: certificate))
    }
    #expect(caller(1001) == 0 && caller(0) == nil && caller(nil) == nil)
    #expect(caller(nil, certificate) == 1 && caller(nil, other) == nil)
    #expect(caller(1001, certificate) == 1 && caller(1001, other) == 0)
  }
}
