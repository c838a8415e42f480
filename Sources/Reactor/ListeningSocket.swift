internal import CLinux
internal import Glibc
public import SystemPackage

/// A listening socket, before an event loop takes it.
public struct ListeningSocket: ~Copyable {
  /// The bound address: `host:port`, or `unix:` and a path.
  public let address: String
  /// The bound port; 0 for a Unix socket.
  public let port: UInt16
  /// Whether it is a Unix socket.
  public let isUnix: Bool
  /// Whether another program made it.
  let isInherited: Bool

  private let descriptor: Descriptor
  private var file: SocketFile?

  static let backlog: Int32 = 4096

  private init(
    _ descriptor: consuming Descriptor, address: String, port: UInt16, isUnix: Bool, isInherited: Bool = false,
    file: consuming SocketFile? = nil
  ) {
    self.address = address
    self.port = port
    self.isUnix = isUnix
    self.isInherited = isInherited
    self.descriptor = descriptor
    self.file = file
  }

  private init(tcp descriptor: consuming Descriptor, isInherited: Bool = false) {
    let address = SocketAddress.text(of: descriptor.number, peer: false)
    let port = UInt16(address.split(separator: ":").last.flatMap { UInt16($0) } ?? 0)
    self.init(descriptor, address: address, port: port, isUnix: false, isInherited: isInherited)
  }

  /// Binds `host` (a numeric address) and `port` (0: any free one).
  ///
  /// - Parameter sharesPort: whether several sockets may bind the same port; the kernel spreads connections over them.
  public init(host: String, port: UInt16, sharesPort: Bool) throws(Errno) {
    let number = unsafe try Errno.check(clinux_listen(host, port, Self.backlog, sharesPort ? 1 : 0))
    self.init(tcp: Descriptor(owning: number))
  }

  /// Creates a Unix socket at `path`, and replaces one that no process listens on any more. Its permissions never exceed
  /// `mode`. The file is removed with the socket.
  public init(path: String, mode: UInt32, owner: UInt32?, group: UInt32?) throws(SocketFileError) {
    let lock = try SocketFile.lockDirectory(of: path)
    try SocketFile.removeStale(path)
    let number = unsafe clinux_bind_unix(path)
    guard number >= 0 else { throw SocketFileError(.last) }
    let socket = Descriptor(owning: number)
    let file = try SocketFile.claim(path, mode: mode, owner: owner, group: group)
    guard listen(number, Self.backlog) == 0 else { throw SocketFileError(.last) }
    _ = consume lock
    self.init(socket, address: "unix:\(path)", port: 0, isUnix: true, file: file)
  }

  /// Creates a Unix socket called `name` in the abstract namespace (unix(7)). It has no file and so no permissions: any user
  /// can connect, and only the peer's user id tells users apart.
  public init(abstract name: String) throws(SocketFileError) {
    let number = unsafe clinux_bind_unix("@\(name)")
    guard number >= 0 else { throw Errno.last == .addressInUse ? .inUse : SocketFileError(.last) }
    let socket = Descriptor(owning: number)
    guard listen(number, Self.backlog) == 0 else { throw SocketFileError(.last) }
    self.init(socket, address: "unix:@\(name)", port: 0, isUnix: true)
  }

  /// Takes over a socket that another program made.
  /// - Throws: why it is not a listening socket, as the end of a sentence.
  public init(inherited descriptor: consuming Descriptor) throws(InheritedSocketError) {
    switch try Self.family(ofInherited: descriptor.number) {
    case .internet: self.init(tcp: descriptor, isInherited: true)
    case .unix(let path):
      self.init(descriptor, address: "unix:\(path)", port: 0, isUnix: true, isInherited: true)
    }
  }

  /// Takes over a socket that another process of this program made, and passes on.
  ///
  /// - Parameter identity: which file it has at its path, as ``Listener/fileIdentity`` of the other process says; nil for none.
  /// - Parameter right: says from when on that file is this process's to remove.
  /// - Throws: why it is none that can be listened on, as the end of a sentence.
  public init(
    passedOn descriptor: consuming Descriptor, file identity: String?, _ right: SocketFileRight
  ) throws(InheritedSocketError) {
    switch try Self.family(ofInherited: descriptor.number) {
    case .internet: self.init(tcp: descriptor)
    case .unix(let path):
      var file: SocketFile?
      if let identity { file = SocketFile(passed: path, identity: identity, right: right) }
      self.init(descriptor, address: "unix:\(path)", port: 0, isUnix: true, file: file)
    }
  }

  private enum Family {
    case internet
    case unix(path: String)
  }

  private static func family(ofInherited number: Int32) throws(InheritedSocketError) -> Family {
    guard let kind = option(SO_TYPE, of: number) else { throw .notASocket }
    guard kind == Int32(SOCK_STREAM.rawValue) else { throw .notAStream }
    guard option(SO_ACCEPTCONN, of: number) == 1 else { throw .notListening }
    let flags = fcntl(number, F_GETFL)
    guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0, fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
      throw .notASocket
    }
    switch option(SO_DOMAIN, of: number) {
    case AF_INET, AF_INET6: return .internet
    case AF_UNIX: return .unix(path: path(of: number))
    default: throw .unknownFamily
    }
  }

  /// Makes the kernel probe the peers of silent connections after `silence`, in whole seconds, and end connections whose peer
  /// stays silent for as long again; nil turns this off. Has no effect on a Unix socket, whose peer cannot vanish.
  public borrowing func keepAlive(after silence: Duration?) throws(Errno) {
    guard !isUnix else { return }
    let (seconds, rest) = silence?.components ?? (0, 0)
    _ = try Errno.check(clinux_keep_alive(descriptor.number, Int32(clamping: seconds + (rest > 0 ? 1 : 0))))
  }

  /// A second descriptor of the same socket, for another loop. The file stays with the first one.
  public func copy() throws(Errno) -> ListeningSocket {
    let number = try Errno.check(fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0))
    return ListeningSocket(
      Descriptor(owning: number), address: address, port: port, isUnix: isUnix, isInherited: isInherited)
  }

  /// Which file it has in the file system, for the process that it is passed on to; nil where it has none.
  var fileIdentity: String? {
    switch file {
    case .some(let file): file.identityText
    case .none: nil
    }
  }

  /// Another process looks after the file from now on: it is not removed with this socket.
  mutating func passOnFile() { file?.passOn() }

  /// Has the kernel tell clients of a Unix socket that this process is at the other end (SO_PEERCRED), which otherwise is the one
  /// that listened first.
  borrowing func claim() { _ = listen(descriptor.number, Self.backlog) }

  /// Whether it takes IPv4 connections beside those of its own family.
  public var takesIPv4Too: Bool {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard Self.option(SO_DOMAIN, of: descriptor.number) == AF_INET6 else { return false }
    return unsafe getsockopt(descriptor.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &value, &length) == 0
      && value == 0
  }

  /// The number of its descriptor.
  var number: Int32 { descriptor.number }

  private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
  }

  private static func path(of descriptor: Int32) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_PATH_TEXT)) { text in
      unsafe text.initialize(repeating: 0)
      guard unsafe clinux_unix_path(descriptor, text.baseAddress) == 0 else { return "" }
      return unsafe String(cString: text.baseAddress!)
    }
  }
}

/// Why an inherited descriptor is not a listening socket.
public enum InheritedSocketError: Error, Equatable {
  /// It is not a socket, or not open.
  case notASocket
  /// It is a socket for datagrams or packets.
  case notAStream
  /// It does not listen; perhaps it is a connection already.
  case notListening
  /// It is neither IP nor Unix.
  case unknownFamily
}

/// Formats addresses of sockets.
public enum SocketAddress {
  /// The address of one end of the socket `descriptor` as `host:port`, `[host]:port` for IPv6.
  public static func text(of descriptor: Int32, peer: Bool) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_ADDRESS_TEXT)) { text in
      unsafe text.initialize(repeating: 0)
      guard unsafe clinux_socket_address(descriptor, peer ? 1 : 0, text.baseAddress) >= 0 else { return "unknown" }
      return unsafe String(cString: text.baseAddress!)
    }
  }
}

/// The peer of an accepted connection, as the kernel reports it.
public enum SocketPeer: Sendable, Hashable {
  /// An IP address and port, as `host:port`.
  case address(String)
  /// A process of this user, on a Unix socket.
  case user(UInt32)
}

extension SocketPeer: CustomStringConvertible {
  /// `192.0.2.1:50000`, or `unix:uid=1000`.
  public var description: String {
    switch self {
    case .address(let text): text
    case .user(let id): "unix:uid=\(id)"
    }
  }
}
