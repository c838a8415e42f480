import LoopbackTesting
import Reactor
import Testing
import Upstream

@Suite struct UpstreamPoolTests {
  @Test("a connection that is given back is used again")
  func reuse() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let first = try pool.connect().get()
    let peer = try listener.accept()
    #expect(first.earlierRequests == 0)
    try pool.release(first)
    #expect(try pool.figures() == [1, 1, 0])
    let second = try pool.connect().get()
    #expect(second === first)
    #expect(second.earlierRequests == 1)
    peer.send("still there")
    #expect(try pool.exchange(second, "x", upTo: "there") == "still there")
    try pool.discard(second)
    #expect(try peer.readToEnd().text == "x")
    #expect(try pool.figures() == [0, 0, 0])
  }

  @Test("a connection on which something arrives while it is idle is closed", arguments: ["x", ""])
  func disturbed(bytes: String) throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    try pool.release(connection)
    if bytes.isEmpty { peer.finishSending() } else { peer.send(bytes) }
    // The pool's closing is what the peer waits for here, without any request to the pool.
    _ = try peer.readToEnd()
    #expect(try pool.figures() == [0, 0, 0])
    #expect(try pool.connect().get() !== connection)
  }

  @Test("a connection on which something arrived before it is given back is closed instead")
  func talking() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    peer.send("answer and more")
    #expect(try pool.exchange(connection, "x", upTo: "more") == "answer and more")
    peer.send("!")
    try pool.running.run {
      while !connection.stream.isReadable { await pool.running.loop.yield() }
    }
    try pool.release(connection)
    #expect(try pool.figures() == [0, 0, 0])
  }

  @Test("a connection that came back since the loop last looked is not used with unsolicited bytes on it")
  func talkingReuse() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    let reused = try pool.running.run { () -> UpstreamConnection? in
      // The bytes are there, and the loop has not been told yet.
      peer.send("unasked")
      pool.pool.release(connection)
      return pool.pool.reuse()
    }
    #expect(reused == nil)
  }

  @Test("a connection is not handed to a waiting request with unsolicited bytes on it")
  func talkingHandover() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    let given = try pool.running.run { () -> UpstreamConnection? in
      let lease = UpstreamLease(connectTimeout: .seconds(10), wakeup: Wakeup(on: pool.running.loop))
      pool.pool.request(lease)
      // The bytes are there, and the loop has not been told yet.
      peer.send("unasked")
      pool.pool.release(connection)
      while lease.outcome == nil { await pool.running.loop.yield() }
      return try lease.outcome?.get()
    }
    #expect(given != nil)
    #expect(given !== connection)
  }

  @Test("requests over the limit wait for a connection, and those over the queue's limit are refused")
  func limits() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: 1)
    let first = try pool.connect().get()
    let (refusal, isSame) = try pool.running.run { () -> (UpstreamError?, Bool) in
      let wakeup = Wakeup(on: pool.running.loop)
      let waiting = UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup)
      let refused = UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup)
      pool.pool.request(waiting)
      pool.pool.request(refused)
      var error: UpstreamError?
      if case .failure(let failure)? = refused.outcome { error = failure }
      guard waiting.outcome == nil, pool.pool.waitingRequests == 1 else { return (error, false) }
      pool.pool.release(first)
      return (error, try waiting.outcome?.get() === first)
    }
    #expect(refusal == .exhausted)
    #expect(isSame)
  }

  @Test("the room of a connection that failed goes to a request that waits")
  func roomHandedOver() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: 1)
    let first = try pool.connect().get()
    let second = try pool.running.run { () -> UpstreamConnection? in
      let wakeup = Wakeup(on: pool.running.loop)
      let waiting = UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup)
      pool.pool.request(waiting)
      pool.pool.discard(first)
      while waiting.outcome == nil { await wakeup.wait() }
      return try waiting.outcome?.get()
    }
    #expect(second != nil && second !== first)
    #expect(try pool.figures() == [1, 0, 0])
  }

  @Test("when no connection can be started, all waiting requests get the error, however many they are")
  func manyFailures() throws {
    let listener = try RawListener()
    let count = 30_000
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: count)
    let first = try pool.connect().get()
    let failed = try pool.running.run { () -> Int in
      let wakeup = Wakeup(on: pool.running.loop)
      let waiting = (0..<count).map { _ in UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup) }
      for lease in waiting { pool.pool.request(lease) }
      // From now on its address is one of ours, which is refused before anything is begun.
      pool.dialer.ownListeners.insert("127.0.0.1:\(listener.port)")
      pool.pool.discard(first)
      while waiting.contains(where: { $0.outcome == nil }) { await pool.running.loop.yield() }
      return waiting.count { if case .failure? = $0.outcome { true } else { false } }
    }
    #expect(failed == count)
    #expect(try pool.figures() == [0, 0, 0])
  }

  @Test("a request that gives up leaves nothing behind: waiting, connecting, or just served")
  func abandonment() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: 1)
    let figures = try pool.running.run { () -> [[Int]] in
      let all = { [pool.pool.openConnections, pool.pool.idleConnections, pool.pool.waitingRequests] }
      func lease() -> UpstreamLease {
        UpstreamLease(connectTimeout: .seconds(10), wakeup: Wakeup(on: pool.running.loop))
      }
      var figures: [[Int]] = []
      let (connecting, waiting) = (lease(), lease())
      pool.pool.request(connecting)
      pool.pool.request(waiting)
      figures.append(all())
      pool.pool.abandon(waiting)
      figures.append(all())
      pool.pool.abandon(connecting)
      figures.append(all())
      let served = lease()
      pool.pool.request(served)
      while served.outcome == nil { await pool.running.loop.yield() }
      pool.pool.abandon(served)
      figures.append(all())
      return figures
    }
    #expect(figures == [[1, 0, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]])
  }

  @Test("a request that needs a new connection gets one, and idle ones remain", arguments: [false, true])
  func mustBeNew(areShared: Bool) throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 3, areShared: areShared)
    let kept = [try pool.connect().get(), try pool.connect().get()]
    for connection in kept { try pool.release(connection) }
    let new = try pool.connect(mustBeNew: true).get()
    #expect(new.earlierRequests == 0)
    #expect(try pool.figures() == [3, 2, 0])
    let again = [try pool.connect().get(), try pool.connect().get()]
    #expect(again[0] === kept[1] && again[1] === kept[0])
  }

  @Test("at the limit the connection that was idle for longest makes room for a new one, and no other")
  func mustBeNewAtLimit() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let kept = [try pool.connect().get(), try pool.connect().get()]
    let peers = [try listener.accept(), try listener.accept()]
    for connection in kept { try pool.release(connection) }
    #expect(try pool.connect(mustBeNew: true).get().earlierRequests == 0)
    #expect(try peers[0].readToEnd().end == .closed)
    #expect(try pool.figures() == [2, 1, 0])
    #expect(try pool.connect().get() === kept[1])
  }

  @Test(
    "a request that waits and needs a new connection is not given one that others give back", arguments: [false, true])
  func mustBeNewWaiting(areShared: Bool) throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: 2, areShared: areShared)
    let used = try pool.connect().get()
    let peer = try listener.accept()
    let (new, later) = try pool.running.run { () -> (UpstreamConnection, UpstreamConnection) in
      let wakeup = Wakeup(on: pool.running.loop)
      let leases = (0..<2).map { _ in UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup) }
      pool.pool.request(leases[0], mustBeNew: true)
      pool.pool.request(leases[1])
      var given: [UpstreamConnection] = []
      for (connection, lease) in zip([used, nil], leases) {
        pool.pool.release(connection ?? given[0])
        while lease.outcome == nil { await wakeup.wait() }
        given.append(try lease.outcome!.get())
      }
      return (given[0], given[1])
    }
    #expect(try peer.readToEnd().end == .closed)
    #expect(new !== used && new === later && later.earlierRequests == 1)
    #expect(try pool.figures() == [1, 0, 0])
  }

  @Test("connections that are idle for long are closed")
  func expiry() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, idle: .milliseconds(1))
    let connections = [try pool.connect().get(), try pool.connect().get()]
    let peers = [try listener.accept(), try listener.accept()]
    for connection in connections { try pool.release(connection) }
    for peer in peers { #expect(try peer.readToEnd().end == .closed) }
    #expect(try pool.figures() == [0, 0, 0])
  }

  // MARK: Connections that belong to one client

  @Test("a pinned connection serves no other client, however it is given back", arguments: [true, false])
  func pinned(isWhole: Bool) throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    for _ in 0..<2 { try pool.pin(connection) }
    #expect(pool.shown.pinned == 1)
    if isWhole { try pool.release(connection) } else { try pool.discard(connection) }
    #expect(try peer.readToEnd().end == .closed)
    #expect(try pool.figures() == [0, 0, 0])
    #expect(pool.shown.pinned == 0 && pool.shown.open == 0)
    #expect(try pool.connect().get() !== connection)
  }

  @Test("a connection that served others may be pinned, and serves its client again and again")
  func pinnedLater() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, idle: .milliseconds(1))
    let connection = try pool.connect().get()
    try pool.pin(connection)
    for number in 1...3 {
      #expect(try pool.resume(connection))
      #expect(connection.earlierRequests == number)
    }
    // It is in use all the time, not idle.
    #expect(try pool.figures() == [1, 0, 0])
    #expect(try pool.connect().get() !== connection)
  }

  @Test("a pinned connection that has ended, or sends unsolicited bytes, is not used again", arguments: ["x", ""])
  func disturbedPin(bytes: String) throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port)
    let connection = try pool.connect().get()
    let peer = try listener.accept()
    try pool.pin(connection)
    if bytes.isEmpty { peer.finishSending() } else { peer.send(bytes) }
    try pool.running.run {
      while !connection.stream.isReadable { await pool.running.loop.yield() }
    }
    #expect(try !pool.resume(connection))
    #expect(try pool.figures() == [0, 0, 0])
    #expect(pool.shown.pinned == 0)
    _ = try peer.readToEnd()
  }

  @Test("its place goes to a request that waits, and the connection does not")
  func pinnedPlace() throws {
    let listener = try RawListener()
    let pool = try PoolOnLoop(port: listener.port, connections: 1, queue: 1)
    let connection = try pool.connect().get()
    try pool.pin(connection)
    let second = try pool.running.run { () -> UpstreamConnection? in
      let wakeup = Wakeup(on: pool.running.loop)
      let waiting = UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup)
      pool.pool.request(waiting)
      guard waiting.outcome == nil, waiting.attempt == nil else { return nil }
      pool.pool.release(connection)
      while waiting.outcome == nil { await wakeup.wait() }
      return try waiting.outcome?.get()
    }
    #expect(second != nil && second !== connection && second?.isPinned == false)
    #expect(try pool.figures() == [1, 0, 0])
  }

  // MARK: Failures

  @Test("no listener: connect")
  func refused() throws {
    // Kept until the end: a port that is free may become another test's.
    let taken = try TakenPort()
    let pool = try PoolOnLoop(port: taken.port)
    guard case .failure(.connect(let detail)) = try pool.connect() else {
      return #expect(Bool(false), "no process listens on port \(taken.port)")
    }
    withExtendedLifetime(taken) {}
    #expect(!detail.isEmpty)
    #expect(try pool.figures() == [0, 0, 0])
  }

  @Test("no such name: dns")
  func unresolvable() throws {
    // RFC 6761 section 6.4 keeps this name from existing.
    let pool = try PoolOnLoop(UpstreamOrigin(isSecure: false, host: "nothing.invalid", port: 80))
    guard case .failure(.dns) = try pool.connect() else { return #expect(Bool(false), "the name does not exist") }
  }

  @Test("a handshake that does not come to an end: connectTimeout")
  func connectTimeout() throws {
    // The kernel makes the connection; the first message of TLS gets no response.
    let listener = try RawListener()
    let pool = try PoolOnLoop(UpstreamOrigin(isSecure: true, host: "127.0.0.1", port: listener.port))
    guard case .failure(.connectTimeout) = try pool.connect(timeout: .milliseconds(20)) else {
      return #expect(Bool(false), "no handshake took place")
    }
    #expect(try pool.figures() == [0, 0, 0])
  }

  @Test("no TLS on the other side: tls")
  func notTLS() throws {
    let port = try RawListener.serving { socket in socket.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
    let pool = try PoolOnLoop(UpstreamOrigin(isSecure: true, host: "127.0.0.1", port: port))
    guard case .failure(.tls) = try pool.connect() else { return #expect(Bool(false), "that was not TLS") }
  }
}
