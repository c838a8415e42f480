internal import Configuration
internal import Reactor
internal import SystemPackage
internal import Upstream

/// Binds every address that proxy.conf lists, for all loops.
struct ListenerBinding {
  /// What is bound, for the person who starts the program.
  private(set) var listeners: [String] = []
  /// Where connections to upstreams must not lead.
  private(set) var own = OwnListeners()
  /// What is allowed but deserves a second look, as proxy.conf alone could not tell.
  private(set) var warnings: [String] = []

  private let workers: [Worker]

  init(_ listeners: [ListenerSettings], _ workers: [Worker], _ passed: PassedSockets) throws(StartError) {
    self.workers = workers
    var passed = passed
    var rest: [ListenerSettings] = []
    for settings in listeners {
      switch settings.address {
      case .tcp(let address): try bind(address, settings)
      case .unix(let path): try bind(path, settings)
      case .systemd(let name?): try adopt(passed.take(named: name), settings)
      // Those that have a name here are not for this one, wherever it stands in the list.
      case .systemd(nil): rest.append(settings)
      }
    }
    for settings in rest { try adopt(passed.takeAll(), settings) }
    try passed.checkAllAreTaken()
  }

  private mutating func bind(_ address: TCPAddress, _ settings: ListenerSettings) throws(StartError) {
    do throws(Errno) {
      var port = address.port
      // Loops share a port, and the kernel would let another m2m-proxy of the same user share it too.
      if workers.count > 1, port != 0 { try Listener.checkAvailability(host: address.host, port: port) }
      for worker in workers {
        let socket = try ListeningSocket(host: address.host, port: port, sharesPort: workers.count > 1)
        // With port 0 the first one decides for all.
        if port != socket.port || worker === workers[0] { note(socket, settings) }
        port = socket.port
        try worker.listen(on: settings, socket)
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
    try share(socket, settings)
  }

  private mutating func adopt(
    _ sockets: [PassedSockets.Socket], _ settings: ListenerSettings
  ) throws(StartError) {
    for passed in sockets {
      let socket: ListeningSocket
      do throws(InheritedSocketError) {
        socket = try ListeningSocket(inherited: Descriptor(owning: passed.number))
      } catch {
        throw .passed(passed.name, error)
      }
      let found = settings.at(Self.address(of: socket))
      if let reason = Self.misfit(found, isUnix: socket.isUnix) {
        throw StartError("\(settings.address): \(passed.name), which systemd passed, is \(reason).")
      }
      if let warning = found.warning { warnings.append("the socket \(passed.name) of systemd \(warning)") }
      try share(socket, found, source: "systemd \(passed.name)")
    }
  }

  /// Why the rules in proxy.conf do not fit the kind of socket that was passed.
  private static func misfit(_ settings: ListenerSettings, isUnix: Bool) -> String? {
    switch settings.proxyProtocol {
    case .networks where isUnix: "a Unix socket, where nobody has an address: proxy_protocol must be on"
    case .everybody where !isUnix: "a TCP socket: proxy_protocol must name the load balancers by their addresses"
    case .nobody where isUnix && settings.allow != nil:
      "a Unix socket, where nobody has an address that allow could name; SocketMode, SocketUser and SocketGroup of the "
        + ".socket unit say who may use it"
    default: nil
    }
  }

  /// Lets every loop accept from the one queue that the socket has.
  private mutating func share(
    _ socket: consuming ListeningSocket, _ settings: ListenerSettings, source: String? = nil
  ) throws(StartError) {
    let address = socket.address
    note(socket, settings, source: source)
    do throws(Errno) {
      let isShared = workers.count > 1
      for worker in workers.dropFirst() { try worker.listen(on: settings, socket.copy(), sharesQueue: true) }
      // The first one keeps the file, too.
      try workers[0].listen(on: settings, socket, sharesQueue: isShared)
    } catch {
      throw .bind(address, error)
    }
  }

  private mutating func note(
    _ socket: borrowing ListeningSocket, _ settings: ListenerSettings, source: String? = nil
  ) {
    let origin = source.map { "   from \($0)" } ?? ""
    listeners.append((socket.isUnix ? socket.address : "http://\(socket.address)") + origin)
    guard !socket.isUnix else { return }
    own.insert(socket.address)
    if socket.takesIPv4Too { own.insert("0.0.0.0:\(socket.port)") }
  }

  private static func address(of socket: borrowing ListeningSocket) -> ListenAddress {
    if socket.isUnix { return .unix(path: String(socket.address.dropFirst("unix:".count))) }
    return TCPAddress(socket.address).map(ListenAddress.tcp) ?? .systemd(name: nil)
  }
}
