import Addresses
import Bytes
import CCurl
import Glibc
import LoopbackTesting
import Outbound
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// A parent proxy whose first tunnel ends with its response to CONNECT, in one segment; the others are served.
final class EndingParent: Sendable {
  /// How a connection is made by it.
  let options: ConnectionOptions
  private let count: Count

  /// How many tunnels it has been asked for.
  var tunnels: Int { count.value }

  init(_ serve: @escaping @Sendable (RawSocket) throws -> Void) throws {
    let count = Count()
    let port = try RawListener.serving { socket in
      let number = count.next()
      _ = try socket.read(upTo: "\r\n\r\n")
      guard number > 1 else {
        socket.sendLast("HTTP/1.1 200 OK\r\n\r\n")
        _ = try socket.readToEnd()
        return
      }
      socket.send("HTTP/1.1 200 OK\r\n\r\n")
      try serve(socket)
    }
    self.count = count
    var options = ConnectionOptions()
    options.parentProxy = ParentProxy(host: "127.0.0.1", port: port)
    self.options = options
  }
}

/// A number that threads count.
final class Count: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .acquiring) }
  func next() -> Int { number.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue }
}

@Suite("Connections that could not be made")
struct ConnectFaultTests {
  @Test("a connection that has ended as soon as it was made is not used, and another one is made")
  func lostAtOnce() throws {
    let parent = try EndingParent { socket in
      _ = try socket.read(upTo: "x")
      socket.send("there")
    }
    let pool = try PoolOnLoop(UpstreamOrigin(isSecure: false, host: "192.0.2.1", port: 80, options: parent.options))
    let connection = try pool.connect().get()
    #expect(parent.tunnels == 2)
    #expect(try pool.exchange(connection, "x", upTo: "there") == "there")
    #expect(try pool.figures() == [1, 0, 0])
  }

  enum Ending: CaseIterable {
    case end, reset, inTheMiddle, closeNotify
    case alert, http
  }

  @Test(
    "a TLS handshake whose connection is lost is tried again, one that is refused is not", arguments: Ending.allCases)
  func handshake(ending: Ending) throws {
    let count = Count()
    let port = try RawListener.serving { socket in
      _ = count.next()
      let header = try socket.read(5)
      _ = try socket.read(Int(header[3]) << 8 | Int(header[4]))
      switch ending {
      case .end: break
      case .reset: socket.abort()
      case .inTheMiddle: socket.send([22, 3, 3, 0, 100, 2])
      case .closeNotify: socket.send([21, 3, 3, 0, 2, 1, 0])
      case .alert: socket.send([21, 3, 3, 0, 2, 2, 40])
      case .http: socket.send("HTTP/1.1 400 Bad Request\r\n\r\n")
      }
    }
    let pool = try PoolOnLoop(UpstreamOrigin(isSecure: true, host: "127.0.0.1", port: port))
    guard case .failure(let error) = try pool.connect() else { return #expect(Bool(false), "there is no TLS") }
    let isRefused = ending == .alert || ending == .http
    // At once, and after each of the pauses.
    #expect(count.value == (isRefused ? 1 : 6), "\(error)")
    if ending == .alert { #expect(error == .alert(TLSAlert(40))) }
  }

  @Test("a transfer that libcurl leaves without a socket and a timer is driven on before its time is over")
  func unwatched() throws {
    // Of two addresses libcurl gives the first one half of the time, then closes its socket and waits for nothing
    // (curl#11920). The second one is not the one that was chosen, so that the transfer fails as soon as it goes on.
    let silent = try SilentAddress()
    let running = try RunningLoop()
    let result = try running.run { () -> Result<Void, UpstreamError> in
      let loop = running.loop
      let trust = try LoopTrust(TrustSettings(), TrustStores([TrustSettings()]), loop)
      let endpoint = Endpoint(host: "several.example", port: silent.port, address: silent.address)
      let transfer = try CurlTransfer(
        url: "http://several.example:\(silent.port)/", endpoint: endpoint, loop: loop, share: trust.share,
        trust: trust.store,
        destination: DestinationCheck(
          DestinationFilter(DestinationRules(), own: OwnListeners()), only: endpoint.address),
        options: ConnectionOptions(), account: MemoryAccount(limit: nil))
      defer { transfer.close() }
      transfer.resolve("several.example:\(silent.port):\(silent.address.text),127.0.0.1")
      try transfer.set(CURLOPT_CONNECT_ONLY, 1)
      try transfer.set(CURLOPT_CONNECTTIMEOUT_MS, 6000)
      let wakeup = Wakeup(on: loop)
      var result: Result<Void, UpstreamError>?
      try transfer.start {
        result = $0
        wakeup.wake()
      }
      while result == nil { await wakeup.wait() }
      return result!
    }
    guard case .failure(let error) = result else {
      return #expect(Bool(false), "one address is silent, the other forbidden")
    }
    // At the end of its time it would have "timed out"; this is the end of its addresses.
    #expect("\(error)".contains("Failed to connect"))
  }
}

/// An address from which nothing comes back: its queue of connections is full, and none is accepted.
final class SilentAddress {
  let address = IPAddress.v4(0x7F00_0002)
  let port: UInt16
  private var descriptors: [Int32] = []

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    descriptors.append(listener)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = in_addr_t(0x7F00_0002).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = unsafe withUnsafeMutablePointer(to: &name) { name in
      unsafe name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        unsafe bind(listener, name, length) == 0 && listen(listener, 0) == 0
          && getsockname(listener, name, &length) == 0
      }
    }
    try #require(isListening, "errno \(errno)")
    port = UInt16(bigEndian: name.sin_port)
    // The first one fills the queue.
    for flags in [0, SOCK_NONBLOCK.rawValue, SOCK_NONBLOCK.rawValue] {
      let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | flags), 0)
      descriptors.append(filler)
      unsafe withUnsafePointer(to: &name) { name in
        unsafe name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
          unsafe _ = Glibc.connect(filler, name, length)
        }
      }
    }
  }

  deinit { for descriptor in descriptors { _ = Glibc.close(descriptor) } }
}
