internal import Configuration
internal import Reactor
internal import SystemPackage
internal import Telemetry
internal import Upstream

/// Binds every address that proxy.conf lists, for all loops.
struct ListenerBinding {
  /// What is bound, for the person who starts the program.
  private(set) var listeners: [String] = []
  /// Where connections to upstreams must not lead.
  private(set) var own = OwnListeners()
  /// What is allowed but deserves a second look, as proxy.conf alone could not tell.
  private(set) var warnings: [String] = []

  /// Why some of it cannot be bound.
  private(set) var problems: [StartError] = []

  private let workers: [Worker]
  private let keepalive: Duration?

  /// - Parameter keepalive: after how much silence the peers of connections are asked for; nil for never.
  init(
    _ listeners: [ListenerSettings], _ workers: [Worker], _ passed: PassedSockets, keepalive: Duration?,
    logger: EventLog
  ) throws(StartError) {
    self.workers = workers
    self.keepalive = keepalive
    var passed = passed
    var rest: [(ServedListener, setting: String)] = []
    for (index, settings) in listeners.enumerated() {
      let setting = listeners.count == 1 ? "listen" : "listen[\(index)]"
      note(setting) { binding throws(StartError) in
        let listener = try Self.served(settings, logger)
        switch settings.address {
        case .tcp(let address): try binding.bind(address, listener)
        case .unix(let path): try binding.bind(path, listener)
        case .systemd(let name?): try binding.adopt(passed.take(named: name), listener)
        // Sockets that another listener names are not for this one, wherever it is in the list.
        case .systemd(nil): rest.append((listener, setting))
        }
      }
    }
    for (listener, setting) in rest {
      note(setting) { binding throws(StartError) in try binding.adopt(passed.takeAll(), listener) }
    }
    if problems.isEmpty { try passed.checkAllAreTaken() }
  }

  /// Does `work` for `setting`, and keeps why it cannot be done: all that is wrong is reported at once.
  private mutating func note(_ setting: String, _ work: (inout ListenerBinding) throws(StartError) -> Void) {
    do throws(StartError) { try work(&self) } catch { problems.append(error.of(setting)) }
  }

  private static func served(_ settings: ListenerSettings, _ logger: EventLog) throws(StartError) -> ServedListener {
    guard let tls = settings.tls else { return ServedListener(settings) }
    let certificate = try ListenerCertificate(tls, listener: "\(settings.address)", logger: logger)
    return ServedListener(settings, certificate: certificate)
  }

  private mutating func bind(_ address: TCPAddress, _ listener: ServedListener) throws(StartError) {
    do throws(Errno) {
      var port = address.port
      var listener = listener
      // Loops share a port, and the kernel would let another m2m-proxy of the same user share it too.
      if workers.count > 1, port != 0 { try Listener.checkAvailability(host: address.host, port: port) }
      for worker in workers {
        let socket = try ListeningSocket(host: address.host, port: port, sharesPort: workers.count > 1)
        if let keepalive { try socket.keepAlive(after: keepalive) }
        // With port 0 the first one decides for all.
        if port != socket.port { listener = listener.at(Self.address(of: socket)) }
        if port != socket.port || worker === workers[0] { note(socket, listener) }
        port = socket.port
        try worker.listen(on: listener, socket)
      }
    } catch {
      throw .bind("\(address)", error)
    }
  }

  private mutating func bind(_ path: String, _ listener: ServedListener) throws(StartError) {
    let socket: ListeningSocket
    do throws(SocketFileError) {
      let permissions = listener.settings.permissions
      socket = try ListeningSocket(
        path: path, mode: permissions.mode, owner: permissions.owner, group: permissions.group)
    } catch {
      throw .bind(path: path, error)
    }
    try share(socket, listener)
  }

  private mutating func adopt(
    _ sockets: [PassedSockets.Socket], _ listener: ServedListener
  ) throws(StartError) {
    for passed in sockets {
      let socket: ListeningSocket
      do throws(InheritedSocketError) {
        socket = try ListeningSocket(inherited: Descriptor(owning: passed.number))
      } catch {
        throw .passed(passed.name, error)
      }
      let found = listener.at(Self.address(of: socket))
      if let reason = Self.misfit(found.settings, isUnix: socket.isUnix) {
        throw StartError("\(listener.settings.address): \(passed.name), which systemd passed, is \(reason).")
      }
      if let warning = found.settings.warning { warnings.append("the socket \(passed.name) of systemd \(warning)") }
      try share(socket, found, source: "systemd \(passed.name)")
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
    _ socket: consuming ListeningSocket, _ listener: ServedListener, source: String? = nil
  ) throws(StartError) {
    let address = socket.address
    note(socket, listener, source: source)
    do throws(Errno) {
      if let keepalive { try socket.keepAlive(after: keepalive) }
      let isShared = workers.count > 1
      for worker in workers.dropFirst() { try worker.listen(on: listener, socket.copy(), sharesQueue: true) }
      // The first one keeps the file, too.
      try workers[0].listen(on: listener, socket, sharesQueue: isShared)
    } catch {
      throw .bind(address, error)
    }
  }

  private mutating func note(
    _ socket: borrowing ListeningSocket, _ listener: ServedListener, source: String? = nil
  ) {
    let isSecure = listener.certificate != nil
    let name = socket.isUnix ? socket.address : "\(isSecure ? "https" : "http")://\(socket.address)"
    let remarks = (socket.isUnix && isSecure ? "   TLS" : "") + (source.map { "   from \($0)" } ?? "")
    listeners.append(name + remarks)
    guard !socket.isUnix else { return }
    own.insert(socket.address)
    if socket.takesIPv4Too { own.insert("0.0.0.0:\(socket.port)") }
  }

  private static func address(of socket: borrowing ListeningSocket) -> ListenAddress {
    if socket.isUnix { return .unix(path: String(socket.address.dropFirst("unix:".count))) }
    return TCPAddress(socket.address).map(ListenAddress.tcp) ?? .systemd(name: nil)
  }
}

/// A listener as its connections meet it.
struct ServedListener: Sendable {
  /// Where it is, and who may use it.
  let settings: ListenerSettings
  /// What it shows to clients, which speak TLS then; nil for plain HTTP.
  let certificate: ListenerCertificate?

  init(_ settings: ListenerSettings, certificate: ListenerCertificate? = nil) {
    self.settings = settings
    self.certificate = certificate
  }

  /// The same for an address that is known only now.
  func at(_ address: ListenAddress) -> ServedListener {
    certificate?.isServed(at: "\(address)")
    return ServedListener(settings.at(address), certificate: certificate)
  }
}
