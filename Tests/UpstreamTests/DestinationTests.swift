import Addresses
import LoopbackTesting
import Outbound
import Reactor
import Testing

@testable import Upstream

@Suite("Destinations")
struct DestinationTests {
  @Test("private and loopback addresses depend on the rules, some are never allowed, public ones always")
  func rules() {
    let never: [IPAddress.Kind] = [.unspecified, .linkLocal, .cloudMetadata, .multicast]
    for kind in IPAddress.Kind.allCases {
      #expect(DestinationRules().allows(kind) == !never.contains(kind))
      let isPrivate = [.privateNetwork, .loopback, .specialPurpose].contains(kind)
      #expect(DestinationRules(allowsPrivate: false).allows(kind) == (!never.contains(kind) && !isPrivate))
    }
  }

  @Test(
    "a listener is found by address and port; one of all addresses by every local one of its family",
    arguments: [
      ("127.0.0.1", UInt16(8080), false, true), ("127.0.0.1", 8081, true, false), ("127.0.0.2", 8080, true, false),
      ("::ffff:127.0.0.1", 8080, false, true), ("10.0.0.5", 9000, true, true), ("10.0.0.5", 9000, false, false),
      ("::1", 9000, true, false), ("fd00::5", 9001, true, true), ("127.0.0.1", 9001, true, false),
    ])
  func listeners(text: String, port: UInt16, isLocal: Bool, isOwn: Bool) throws {
    var own = OwnListeners()
    for endpoint in ["127.0.0.1:8080", "0.0.0.0:9000", "[::]:9001", "unknown"] { own.insert(endpoint) }
    let address = try #require(IPAddress(text))
    #expect(own.contains(address, port, isLocal: { isLocal }) == isOwn)
  }

  @Test(
    "a host for which private addresses are not allowed gets no connection to this machine", arguments: [true, false])
  func dialling(allowsPrivate: Bool) throws {
    let port = try RawListener.serving { _ in }
    let running = try RunningLoop()
    let error = try running.run { () async throws -> UpstreamError? in
      let dialer = try Dialer(loop: running.loop, trust: TrustStores([TrustSettings()]))
      let origin = UpstreamOrigin(
        isSecure: false, host: "127.0.0.1", port: port, destinations: DestinationRules(allowsPrivate: allowsPrivate))
      let wakeup = Wakeup(on: running.loop)
      var outcome: Result<DialedConnection, UpstreamError>?
      do {
        let attempt = try dialer.dial(origin, timeout: .seconds(10), upstream: origin.name) { result in
          outcome = result
          wakeup.wake()
        }
        while outcome == nil { await wakeup.wait() }
        withExtendedLifetime(attempt) {}
      } catch let error as UpstreamError {
        return error
      }
      switch outcome {
      case .success(let dialed):
        dialed.stream.close()
        return nil
      case .failure(let error): return error
      case nil: return nil
      }
    }
    #expect(
      error
        == (allowsPrivate ? nil : .privateAddress("127.0.0.1 is an address of this machine (Loopback, 127.0.0.0/8)")))
  }
}
