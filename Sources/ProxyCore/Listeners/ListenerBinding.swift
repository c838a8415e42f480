internal import Configuration
internal import Reactor
internal import SystemPackage
internal import Telemetry
internal import Upstream

/// Binds every address that proxy.conf lists, for all loops; after a reload, those that are not bound yet.
///
/// Nothing listens before the sockets are handed to the workers: if one address cannot be bound, all are given back.
struct ListenerBinding {
  /// A listener that is bound.
  struct Bound {
    /// The address in proxy.conf.
    let address: ListenAddress
    let permissions: SocketPermissions
    /// What its connections get.
    var served: ServedListener
    /// Its description for a person.
    let line: String
    /// What connections to upstreams must not lead to.
    let own: [String]
    /// What systemd calls its socket, where it is one of systemd's.
    let passedName: String?
  }

  /// A socket that a worker is to accept from.
  final class NewSocket: @unchecked Sendable {
    // Sendable because one thread makes it, and one takes it.
    let worker: Int
    let served: ServedListener
    let sharesQueue: Bool
    private var socket: ListeningSocket?

    fileprivate init(_ socket: consuming ListeningSocket, worker: Int, _ served: ServedListener, sharesQueue: Bool) {
      (self.worker, self.served, self.sharesQueue) = (worker, served, sharesQueue)
      self.socket = consume socket
    }

    fileprivate func take() -> ListeningSocket? { socket.take() }
  }

  /// All that are bound, those of proxy.conf in its order.
  private(set) var bound: [Bound] = []
  /// Those that no worker accepts from yet.
  private(set) var sockets: [NewSocket] = []
  /// Settings that are allowed but deserve a second look, as far as proxy.conf alone could not tell.
  private(set) var warnings: [String] = []
  /// Why some of it cannot be bound.
  private(set) var problems: [StartError] = []
  /// What can be changed by a restart only.
  private(set) var afterRestart: [String] = []

  private var previous: [Bound]
  private let workers: Int
  private let keepalive: Duration?
  private let logger: EventLog
  private var nextNumber: Int

  /// - Parameters:
  ///   - previous: What is bound already.
  ///   - workers: How many accept.
  ///   - passed: The sockets of systemd, at start.
  ///   - predecessor: The process before this one, at an upgrade.
  ///   - keepalive: After how much silence the peers of connections are asked for; nil for never.
  init(
    _ listeners: [ListenerSettings], after previous: ListenerBinding? = nil, workers: Int,
    _ passed: PassedSockets? = nil, predecessor: Predecessor? = nil, keepalive: Duration?, logger: EventLog
  ) {
    self.previous = previous?.bound ?? []
    nextNumber = previous?.nextNumber ?? 0
    (self.workers, self.keepalive, self.logger) = (workers, keepalive, logger)
    var passed = passed
    var rest: [(ListenerSettings, setting: String)] = []
    for (index, settings) in listeners.enumerated() {
      let setting = listeners.count == 1 ? "listen" : "listen[\(index)]"
      if keep(settings, setting) { continue }
      if let sockets = predecessor?.take(settings.address) {
        note(setting) { binding throws(StartError) in try binding.takeOver(sockets, settings) }
        continue
      }
      note(setting) { binding throws(StartError) in
        switch settings.address {
        case .tcp(let address): try binding.bind(address, settings)
        case .unix(let path): try binding.bind(path, settings)
        case .systemd(let name?): try binding.adopt(Self.take(name, &passed), settings)
        // Sockets that another listener names are not for this one, wherever it is in the list.
        case .systemd(nil): rest.append((settings, setting))
        }
      }
    }
    for (settings, setting) in rest {
      note(setting) { binding throws(StartError) in
        try binding.adopt(Self.take(nil, &passed), settings)
      }
    }
    // What the process before accepted from, and this one does not, is closed.
    if predecessor != nil { passed?.closeRest() }
    guard problems.isEmpty, let passed else { return }
    do throws(StartError) { try passed.checkAllAreTaken() } catch { problems.append(error) }
  }

  /// The sockets of systemd with `name`, or all that are left.
  private static func take(
    _ name: String?, _ passed: inout PassedSockets?
  ) throws(StartError) -> [PassedSockets.Socket] {
    guard var sockets = passed else {
      throw StartError("systemd passes sockets when it starts the program; restart the service.")
    }
    defer { passed = sockets }
    if let name { return try sockets.take(named: name) }
    return try sockets.takeAll()
  }

  /// Does `work` for `setting`, and collects its problem: all problems are reported at once.
  private mutating func note(_ setting: String, _ work: (inout ListenerBinding) throws(StartError) -> Void) {
    do throws(StartError) { try work(&self) } catch { problems.append(error.of(setting)) }
  }

  /// The same once the workers have the sockets.
  var withoutSockets: ListenerBinding {
    var binding = self
    (binding.sockets, binding.previous, binding.warnings, binding.afterRestart) = ([], [], [], [])
    return binding
  }

  // MARK: What is there

  /// What is really bound, for a person.
  var listeners: [String] { bound.map(\.line) }

  /// Where connections to upstreams must not lead.
  var own: OwnListeners {
    var own = OwnListeners()
    for endpoint in bound.flatMap(\.own) { own.insert(endpoint) }
    return own
  }

  /// What connections get, by the number of their listener.
  var served: [Int: ServedListener] {
    Dictionary(bound.map { ($0.served.number, $0.served) }) { first, _ in first }
  }

  /// Makes `worker` accept from its new sockets. Call it on the worker's thread once that runs.
  static func start(_ sockets: [NewSocket], on worker: Worker) throws(StartError) {
    for new in sockets {
      guard let socket = new.take() else { continue }
      let address = socket.address
      do throws(Errno) { try worker.listen(on: new.served, socket, sharesQueue: new.sharesQueue) } catch {
        throw .bind(address, error)
      }
    }
  }

  // MARK: Binding

  /// Keeps what is bound at the address of `settings`, with the new settings; false if nothing is.
  private mutating func keep(_ settings: ListenerSettings, _ setting: String) -> Bool {
    // If several listeners have one address, as with port 0, each setting keeps one; all sockets from systemd belong to
    // one setting.
    var kept = previous.filter { $0.address == settings.address }
    if case .systemd = settings.address {} else { kept = Array(kept.prefix(1)) }
    let numbers = kept.map(\.served.number)
    previous.removeAll { numbers.contains($0.served.number) }
    for var bound in kept {
      note(setting) { binding throws(StartError) in
        if bound.permissions != settings.permissions {
          binding.afterRestart.append("\(setting): mode, owner and group of \(settings.address)")
        }
        let address = bound.served.settings.address
        let found = settings.at(address)
        if let reason = Self.misfit(found, isUnix: address.tcp == nil) {
          throw StartError("\(settings.address): the socket of systemd is \(reason).")
        }
        bound.served = try binding.served(found, like: bound.served)
        binding.bound.append(bound)
      }
    }
    return !kept.isEmpty
  }

  /// What connections to a listener with `settings` get; `like` is what they got until now.
  private mutating func served(
    _ settings: ListenerSettings, like known: ServedListener? = nil
  ) throws(StartError) -> ServedListener {
    let number = known?.number ?? nextNumber
    if known == nil { nextNumber += 1 }
    guard let tls = settings.tls else { return ServedListener(settings, number: number) }
    if let known, known.settings.tls == tls {
      return ServedListener(settings, number: number, certificate: known.certificate)
    }
    let certificate = try ListenerCertificate(tls, listener: "\(settings.address)", logger: logger)
    return ServedListener(settings, number: number, certificate: certificate)
  }

  private mutating func bind(_ address: TCPAddress, _ settings: ListenerSettings) throws(StartError) {
    var listener = try served(settings)
    do throws(Errno) {
      var port = address.port
      // Loops share a port, and the kernel would let another m2m-proxy of the same user share it too.
      if workers > 1, port != 0 { try Listener.checkAvailability(host: address.host, port: port) }
      for worker in 0..<workers {
        let socket = try ListeningSocket(host: address.host, port: port, sharesPort: workers > 1)
        if let keepalive { try socket.keepAlive(after: keepalive) }
        if worker == 0 {
          // With port 0 the first one decides for all.
          port = socket.port
          listener = listener.at(Self.address(of: socket))
          note(socket, listener, settings)
        }
        sockets.append(NewSocket(socket, worker: worker, listener, sharesQueue: false))
      }
    } catch {
      throw .bind("\(address)", error)
    }
  }

  private mutating func bind(_ path: String, _ settings: ListenerSettings) throws(StartError) {
    let socket: ListeningSocket
    do throws(SocketFileError) {
      let permissions = settings.permissions
      socket = try ListeningSocket(
        path: path, mode: permissions.mode, owner: permissions.owner, group: permissions.group)
    } catch {
      throw .bind(path: path, error)
    }
    try share(socket, try served(settings), settings)
  }

  /// Accepts from the sockets of one listener of the process before this one. That process may have another number of loops.
  private mutating func takeOver(
    _ passed: [Predecessor.Socket], _ settings: ListenerSettings
  ) throws(StartError) {
    var listener = try served(settings)
    let count = passed.count
    for (index, passed) in passed.enumerated() {
      let socket: ListeningSocket
      do throws(InheritedSocketError) { socket = try passed.open() } catch {
        throw StartError("\(settings.address): the socket of the process before this one \(error.complaint).")
      }
      if index == 0 {
        // With port 0 the process before has decided.
        if settings.address.tcp?.port == 0 { listener = listener.at(Self.address(of: socket)) }
        note(socket, listener, settings)
      }
      do throws(Errno) {
        if let keepalive { try socket.keepAlive(after: keepalive) }
        // Each loop accepts from one socket at least, and each socket is accepted from: connections wait in its queue.
        let takers = count >= workers ? [index % workers] : Array(stride(from: index, to: workers, by: count))
        for worker in takers.dropFirst() {
          sockets.append(NewSocket(try socket.copy(), worker: worker, listener, sharesQueue: true))
        }
        sockets.append(NewSocket(socket, worker: takers[0], listener, sharesQueue: takers.count > 1))
      } catch { throw .bind("\(settings.address)", error) }
    }
  }

  private mutating func adopt(
    _ passed: [PassedSockets.Socket], _ settings: ListenerSettings
  ) throws(StartError) {
    for passed in passed {
      let socket: ListeningSocket
      do throws(InheritedSocketError) {
        socket = try ListeningSocket(inherited: Descriptor(owning: passed.number))
      } catch {
        throw .passed(passed.name, error)
      }
      let found = try served(settings).at(Self.address(of: socket))
      if let reason = Self.misfit(found.settings, isUnix: socket.isUnix) {
        throw StartError("\(settings.address): \(passed.name), which systemd passed, is \(reason).")
      }
      if let warning = found.settings.warning { warnings.append("the socket \(passed.name) of systemd \(warning)") }
      try share(socket, found, settings, passedName: passed.name)
    }
  }

  /// Why the rules in proxy.conf do not fit the kind of socket that was passed.
  private static func misfit(_ settings: ListenerSettings, isUnix: Bool) -> String? {
    switch settings.proxyProtocol {
    case .networks where isUnix: "a Unix socket, where clients have no address: proxy_protocol must be on"
    case .all where !isUnix: "a TCP socket: proxy_protocol must name the load balancers by their addresses"
    case .off where isUnix && settings.allow != nil:
      "a Unix socket, where clients have no address for allow to name; SocketMode, SocketUser and SocketGroup of the "
        + ".socket unit say who may use it"
    default: nil
    }
  }

  /// Lets every loop accept from the one queue that the socket has.
  private mutating func share(
    _ socket: consuming ListeningSocket, _ listener: ServedListener, _ settings: ListenerSettings,
    passedName: String? = nil
  ) throws(StartError) {
    let address = socket.address
    note(socket, listener, settings, passedName: passedName)
    do throws(Errno) {
      if let keepalive { try socket.keepAlive(after: keepalive) }
      for worker in 1..<max(1, workers) {
        sockets.append(NewSocket(try socket.copy(), worker: worker, listener, sharesQueue: true))
      }
      // The first one keeps the file, too.
      sockets.append(NewSocket(socket, worker: 0, listener, sharesQueue: workers > 1))
    } catch {
      throw .bind(address, error)
    }
  }

  private mutating func note(
    _ socket: borrowing ListeningSocket, _ listener: ServedListener, _ settings: ListenerSettings,
    passedName: String? = nil
  ) {
    let isSecure = listener.certificate != nil
    let name = socket.isUnix ? socket.address : "\(isSecure ? "https" : "http")://\(socket.address)"
    let remarks =
      (socket.isUnix && isSecure ? "   TLS" : "") + (passedName.map { "   from systemd \($0)" } ?? "")
    var own: [String] = []
    if !socket.isUnix {
      own.append(socket.address)
      if socket.takesIPv4Too { own.append("0.0.0.0:\(socket.port)") }
    }
    bound.append(
      Bound(
        address: settings.address, permissions: settings.permissions, served: listener, line: name + remarks, own: own,
        passedName: passedName))
  }

  private static func address(of socket: borrowing ListeningSocket) -> ListenAddress {
    if socket.isUnix { return .unix(path: String(socket.address.dropFirst("unix:".count))) }
    return TCPAddress(socket.address).map(ListenAddress.tcp) ?? .systemd(name: nil)
  }
}

/// A listener as its connections see it.
struct ServedListener: Sendable {
  /// Its number among the listeners of the process; no number is used twice.
  let number: Int
  /// Where it is, and who may use it.
  let settings: ListenerSettings
  /// What it shows to clients, which speak TLS then; nil for plain HTTP.
  let certificate: ListenerCertificate?

  init(_ settings: ListenerSettings, number: Int, certificate: ListenerCertificate? = nil) {
    self.number = number
    self.settings = settings
    self.certificate = certificate
  }

  /// The same for an address that is known only now.
  func at(_ address: ListenAddress) -> ServedListener {
    certificate?.isServed(at: "\(address)")
    return ServedListener(settings.at(address), number: number, certificate: certificate)
  }
}
