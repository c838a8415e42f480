internal import Addresses
internal import Glibc
internal import Locks
internal import Reactor
internal import Secrets
internal import SystemPackage

/// Resolves the names of a process, for all loops: calls `getaddrinfo` on a few threads, and keeps the results while
/// names are in use (``NameTable``).
public final class NameResolver: Sendable {
  private struct State {
    var table: NameTable<NameWait>
    /// Names to look up: first those that requests wait for.
    var urgent: [String] = []
    var others: [String] = []
    var threads = 0
    var idleThreads = 0
    var isOver = false

    var queued: Int { urgent.count + others.count }

    // How many urgent names were taken since another one was.
    var urgentInARow = 0
    private static let mostUrgentInARow = 3

    mutating func take() -> String? {
      // Names in use must be looked up again however many new ones there are.
      let isTurnOfOthers = urgent.isEmpty || urgentInARow >= Self.mostUrgentInARow
      if isTurnOfOthers, !others.isEmpty {
        urgentInARow = 0
        return others.removeFirst()
      }
      guard !urgent.isEmpty else { return nil }
      urgentInARow += 1
      return urgent.removeFirst()
    }

    /// A request waits for `name`, which was queued as not urgent.
    mutating func hasten(_ name: String) {
      guard let index = others.firstIndex(of: name) else { return }
      urgent.append(others.remove(at: index))
    }

    /// `wait` has ended. Drops a lookup that no other request waits for and no thread has begun: it would keep threads
    /// from names that are wanted.
    mutating func forget(_ wait: NameWait) {
      guard table.forget(wait, of: wait.name), let index = urgent.firstIndex(of: wait.name) else { return }
      urgent.remove(at: index)
      table.giveUp(wait.name)
    }
  }

  private let state: Monitor<State>
  private let threadLimit: Int
  private let lookup: @Sendable (String) -> NameLookup

  private static let nameLimit = 8192
  private static let idleTime = 10_000  // milliseconds

  /// A resolver of the system's names.
  ///
  /// - Parameter threads: how many names are looked up at the same time; a lookup that hangs keeps its thread.
  public convenience init(threads: Int = 16) {
    self.init(threads: threads, lookup: SystemNames.look)
  }

  init(threads: Int, lookup: @escaping @Sendable (String) -> NameLookup) {
    state = Monitor(State(table: NameTable(limit: Self.nameLimit)))
    threadLimit = threads
    self.lookup = lookup
  }

  deinit {
    state.withLock { $0.isOver = true }
    state.wakeAll()
  }

  /// The addresses of `name`, or a wait for them: `completion` is called once, on the thread of `loop`, unless the wait
  /// is cancelled.
  ///
  /// - Parameter isRenewal: whether addresses that are older than `refresh` will not do.
  func look(
    up name: String, refresh: Duration, isRenewal: Bool = false, on loop: EventLoop,
    completion: @escaping (NameAnswer) -> Void
  ) -> Look {
    let wait = NameWait(name, self, loop, completion)
    let (answer, next) = state.withLock { state -> (NameAnswer?, Next) in
      let (answer, isDue) =
        isRenewal
        ? state.table.renew(name, refresh: refresh, at: .now, for: wait)
        : state.table.look(up: name, refresh: refresh, at: .now, for: wait)
      let isUrgent = answer == nil && !isRenewal
      if isUrgent, !isDue { state.hasten(name) }
      return (answer, isDue ? enqueue(name, isUrgent: isUrgent, &state) : .nothing)
    }
    go(on: next)
    if let answer { return .known(answer) }
    return .pending(wait)
  }

  /// The result of ``look(up:refresh:isRenewal:on:completion:)``.
  enum Look {
    case known(NameAnswer)
    case pending(NameWait)
  }

  /// A connection to `address` of `name` could not be made: the name may have others by now.
  func suspect(_ name: String, _ address: IPAddress) {
    let next = state.withLock { state in
      state.table.suspect(name, address, at: .now) ? enqueue(name, isUrgent: false, &state) : .nothing
    }
    go(on: next)
  }

  /// A connection to `address` of `name` was made.
  func worked(_ name: String, _ address: IPAddress) {
    state.withLock { $0.table.worked(name, address) }
  }

  fileprivate func forget(_ wait: NameWait) {
    state.withLock { $0.forget(wait) }
  }

  /// Which thread looks up the name that was enqueued.
  private enum Next {
    case nothing
    case idleThread
    case newThread
  }

  private func enqueue(_ name: String, isUrgent: Bool, _ state: inout State) -> Next {
    if isUrgent { state.urgent.append(name) } else { state.others.append(name) }
    guard state.queued > state.idleThreads, state.threads < threadLimit else { return .idleThread }
    state.threads += 1
    return .newThread
  }

  private func go(on next: Next) {
    switch next {
    case .nothing: break
    case .idleThread: state.wakeAll()
    case .newThread: startThread()
    }
  }

  private func startThread() {
    let isStarted = BackgroundThread.run(name: "names") { [state, lookup] in Self.serve(state, lookup) }
    guard !isStarted else { return }
    // Other threads serve the queue; if there are none, the waiters are told.
    let lost = state.withLock { state -> [(NameAnswer, [NameWait])] in
      state.threads -= 1
      var lost: [(NameAnswer, [NameWait])] = []
      while state.threads == 0, let name = state.take() {
        lost.append(state.table.finish(name, with: .unavailable("no thread can be started"), at: .now))
      }
      return lost
    }
    for (answer, waits) in lost { for wait in waits { wait.deliver(answer) } }
  }

  /// Looks up names, until there was none to look up for a while.
  private static func serve(_ state: Monitor<State>, _ lookup: @Sendable (String) -> NameLookup) {
    while true {
      state.withLock { $0.idleThreads += 1 }
      let name = state.wait(while: { !$0.isOver && $0.queued == 0 }, milliseconds: idleTime) { state -> String? in
        state.idleThreads -= 1
        let name = state.isOver ? nil : state.take()
        if name == nil { state.threads -= 1 }
        return name
      }
      guard let name else { return }
      let found = lookup(name)
      let (answer, waits) = state.withLock { $0.table.finish(name, with: found, at: .now) }
      for wait in waits { wait.deliver(answer) }
    }
  }
}

// Sendable because the completion is touched on the loop's thread only.
/// What waits on a loop for the addresses of a name.
final class NameWait: @unchecked Sendable {
  let name: String
  private let resolver: NameResolver
  private let loop: EventLoop
  private var completion: ((NameAnswer) -> Void)?

  fileprivate init(
    _ name: String, _ resolver: NameResolver, _ loop: EventLoop, _ completion: @escaping (NameAnswer) -> Void
  ) {
    self.name = name
    self.resolver = resolver
    self.loop = loop
    self.completion = completion
  }

  fileprivate func deliver(_ answer: NameAnswer) {
    loop.perform { [self] in
      let completion = completion
      self.completion = nil
      completion?(answer)
    }
  }

  /// The completion is not called any more. On the loop's thread.
  func cancel() {
    guard completion != nil else { return }
    completion = nil
    resolver.forget(self)
  }
}

/// The names that the system knows.
enum SystemNames {
  private static let mostAddresses = 64

  /// Looks `name` up, for as long as the system takes.
  static func look(_ name: String) -> NameLookup {
    if isLocal(name) { return .addresses([.v6(1), .v4(0x7F00_0001)]) }
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(name, nil, &hints, &list)
    let errno = errno
    defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
    guard status == 0 else { return failure(status, errno) }
    var addresses: [IPAddress] = []
    var next = unsafe list
    while let entry = unsafe next, addresses.count < mostAddresses {
      if let address = unsafe address(entry.pointee.ai_addr), !addresses.contains(address) {
        addresses.append(address)
      }
      unsafe next = entry.pointee.ai_next
    }
    return addresses.isEmpty ? .missing("the name has no address") : .addresses(addresses)
  }

  /// RFC 6761 section 6.3: such names are this machine, without a question to DNS.
  private static func isLocal(_ name: String) -> Bool {
    let name = (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased()
    return name == "localhost" || name.hasSuffix(".localhost")
  }

  private static func failure(_ status: Int32, _ errno: Int32) -> NameLookup {
    let reason = status == EAI_SYSTEM ? "\(Errno(rawValue: errno))" : unsafe String(cString: gai_strerror(status))
    switch status {
    // EAI_NODATA, and EAI_ADDRFAMILY: GNU extensions that Swift does not see.
    case EAI_NONAME, -5, -9: return .missing(reason)
    default: return .unavailable(reason)
    }
  }

  private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
    guard let pointer = unsafe pointer else { return nil }
    let raw = UnsafeRawPointer(pointer)
    switch Int32(unsafe pointer.pointee.sa_family) {
    case AF_INET:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
      return .v4(UInt32(bigEndian: address.sin_addr.s_addr))
    case AF_INET6:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in6.self)
      return unsafe withUnsafeBytes(of: address.sin6_addr) { octets in
        unsafe .v6(octets.reduce(0) { $0 << 8 | UInt128($1) })
      }
    default: return nil
    }
  }
}
