internal import CCurl
internal import COpenSSL
internal import Glibc
internal import Locks
public import Outbound
internal import Reactor
internal import Secrets

// libcurl would parse its CA bundle again for every connection, which takes 20 ms and 0.8 MB each; so it is given none,
// and each connection's TLS context refers to this store. OpenSSL's stores are reference-counted and locked inside,
// hence Sendable; the pointer never leaves this module.
/// Certificate authorities that servers are verified against: parsed once, shared by connections of all loops, and
/// never changed. Another object means another trust, or files that were read again.
@safe final class TrustStore: @unchecked Sendable {
  let store: OpaquePointer

  private static let limit = 8 * 1024 * 1024

  /// A store without authorities.
  init() throws(TrustStoreError) {
    guard let store = unsafe X509_STORE_new() else { throw TrustStoreError(source: "memory", reason: "none is left") }
    unsafe self.store = store
    // As curl does: a certificate in the file is trusted itself, even if it is not a root.
    unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
  }

  deinit { unsafe X509_STORE_free(store) }

  /// Adds the authorities in `file`, all of which must be readable.
  /// - Parameter isGuarded: whether a file that every user can write is refused. For `ca_file`, proxy.conf is checked
  ///   for that at the start, and it must not come about later.
  fileprivate func load(_ file: String, isGuarded: Bool) throws(TrustStoreError) {
    if isGuarded, case .byEveryone(let complaint)? = SensitiveFile.tampering(path: file, showsPaths: true) {
      throw TrustStoreError(source: file, reason: "it \(complaint)")
    }
    let added: Int32
    do {
      ERR_clear_error()
      added = try SensitiveFile.read(path: file, limit: Self.limit) { pem, _ in
        unsafe pem.withUnsafeBytes { unsafe copenssl_add_authorities(store, $0.baseAddress, Int32($0.count)) }
      }
    } catch {
      throw TrustStoreError(source: file, reason: "it \(error.complaint(limit: "8 MB"))")
    }
    defer { ERR_clear_error() }
    guard added >= 0 else { throw TrustStoreError(source: file, reason: Self.lastError()) }
    guard added > 0 else { throw TrustStoreError(source: file, reason: "no certificate could be read") }
  }

  /// Adds the authorities of `other`.
  fileprivate func share(_ other: TrustStore) throws(TrustStoreError) {
    guard unsafe copenssl_share_authorities(store, other.store) == 1 else {
      throw TrustStoreError(source: "memory", reason: "none is left")
    }
  }

  /// Makes OpenSSL look for authorities in the places that it was built with.
  fileprivate func useDefaultPaths() { unsafe X509_STORE_set_default_paths(store) }

  private static func lastError() -> String {
    let code = ERR_peek_last_error()
    guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "a certificate is damaged" }
    return unsafe String(cString: reason)
  }
}

/// A CA file that cannot be used.
public struct TrustStoreError: Error, Sendable, CustomStringConvertible {
  /// The file.
  public let source: String
  /// What is wrong with it.
  public let reason: String

  /// One sentence for the person who configured it.
  public var description: String { "the CA certificates in \(source) cannot be used: \(reason)" }
}

/// The result of reading changed files of authorities.
public struct TrustChange: Sendable {
  /// The settings that name the files.
  public let settings: TrustSettings
  /// Why the authorities read before stay in use; nil when the files were read again.
  public let problem: TrustStoreError?
}

/// The authorities of a process, by the settings that name them, for all loops. Changed files are read again; if one
/// cannot be used, what was read before stays in use.
///
/// A thread checks the files once a second, so that a file system that hangs stops no loop. While that thread is stuck,
/// another one checks the files of other settings: there are at most as many threads as settings.
public final class TrustStores: Sendable {
  private struct Entry {
    var store: TrustStore
    var stamps: [FileStamp]
    var isBeingRead = false
  }

  private struct State {
    var entries: [TrustSettings: Entry] = [:]
    var hasFiles = false
    // Parsed once for all settings that trust it: it has some 150 certificates.
    var system: (store: TrustStore, stamp: FileStamp)?
    var observers: [(settings: TrustSettings, notify: @Sendable () -> Void)] = []
    /// The number of the thread that checks the files; nil if there is none.
    var watcher: Int?
    var lastWatcher = 0
    /// The settings whose files it checks at the moment, and since when.
    var look: (settings: TrustSettings, began: Instant)?
    var isOver = false
  }

  private let state: Monitor<State>
  private let onChange: @Sendable (TrustChange) -> Void
  /// The file of the system's authorities; nil if there is none, and OpenSSL's own places are used.
  private let systemFile: String?

  private static let interval = 1000  // milliseconds
  private static let longestLook = Duration.seconds(2)

  /// The authorities that `settings` name. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where those of the system are, as for
  /// curl and OpenSSL.
  ///
  /// - Parameter onChange: called on any thread when files have changed, or cannot be checked.
  public init(
    _ settings: some Sequence<TrustSettings>, onChange: @escaping @Sendable (TrustChange) -> Void = { _ in }
  ) throws(TrustStoreError) {
    self.onChange = onChange
    let systemFile = Self.findSystemFile()
    self.systemFile = systemFile
    var state = State()
    state.entries = try Self.read(settings, systemFile, known: [:], &state.system)
    state.hasFiles = Self.hasFiles(state, systemFile)
    self.state = Monitor(state)
  }

  /// Reads the entries for `settings` that `known` lacks.
  private static func read(
    _ settings: some Sequence<TrustSettings>, _ systemFile: String?, known: [TrustSettings: Entry],
    _ system: inout (store: TrustStore, stamp: FileStamp)?
  ) throws(TrustStoreError) -> [TrustSettings: Entry] {
    var entries: [TrustSettings: Entry] = [:]
    for settings in settings where known[settings] == nil && entries[settings] == nil {
      let stamps = files(of: settings, systemFile).map { FileStamp(path: $0) }
      entries[settings] = Entry(store: try load(settings, systemFile, &system), stamps: stamps)
    }
    return entries
  }

  private static func hasFiles(_ state: State, _ systemFile: String?) -> Bool {
    state.entries.keys.contains { !files(of: $0, systemFile).isEmpty }
  }

  /// Reads the files of `settings` that have not been read yet. Waits for file systems.
  ///
  /// Nothing is dropped while the process runs: a token fetch, or a connection being made, may outlive the
  /// configuration that named its trust.
  public func add(_ settings: some Sequence<TrustSettings>) throws(TrustStoreError) {
    var (known, system) = state.withLock { ($0.entries, $0.system) }
    let added = try Self.read(settings, systemFile, known: known, &system)
    known = [:]
    state.withLock { state in
      if state.system == nil { state.system = system }
      state.entries.merge(added) { earlier, _ in earlier }
      state.hasFiles = Self.hasFiles(state, systemFile)
    }
  }

  deinit {
    state.withLock { $0.isOver = true }
    state.wakeAll()
  }

  /// The store for connections that begin at `now`; `settings` are among those that this object was made with.
  func store(for settings: TrustSettings, at now: Instant) -> TrustStore {
    let (store, watcher, stuck) = state.withLock { state -> (TrustStore, Int?, TrustSettings?) in
      guard let entry = state.entries[settings] else { preconditionFailure("a trust that no setting names") }
      var stuck: TrustSettings?
      if let look = state.look, now >= look.began + Self.longestLook {
        stuck = look.settings
        state.look = nil
        state.watcher = nil
      }
      guard state.hasFiles, state.watcher == nil else { return (entry.store, nil, stuck) }
      state.lastWatcher += 1
      state.watcher = state.lastWatcher
      return (entry.store, state.lastWatcher, stuck)
    }
    if let watcher { startWatching(watcher) }
    if let stuck {
      let problem = TrustStoreError(
        source: stuck.caFile ?? systemFile ?? "the system's file", reason: "the file system that it is on hangs")
      onChange(TrustChange(settings: stuck, problem: problem))
    }
    return store
  }

  /// Calls `notify`, on any thread, after the store for `settings` has been replaced.
  func observe(_ settings: TrustSettings, _ notify: @escaping @Sendable () -> Void) {
    state.withLock { $0.observers.append((settings, notify)) }
  }

  private func startWatching(_ watcher: Int) {
    // The thread must not keep this object alive: it ends with it.
    let isStarted = BackgroundThread.run(name: "trust") { [state, systemFile, onChange] in
      Self.watch(state, systemFile, onChange, watcher)
    }
    // The next connection tries again.
    if !isStarted { state.withLock { if $0.watcher == watcher { $0.watcher = nil } } }
  }

  /// Checks all files again and again, as long as `watcher` is the thread that does so.
  private static func watch(
    _ state: Monitor<State>, _ systemFile: String?, _ onChange: @Sendable (TrustChange) -> Void, _ watcher: Int
  ) {
    while true {
      let settings = state.wait(while: { !$0.isOver && $0.watcher == watcher }, milliseconds: interval) { state in
        state.isOver || state.watcher != watcher ? nil : Array(state.entries.keys)
      }
      guard let settings else { return }
      for settings in settings {
        guard let (change, observers) = look(settings, state, systemFile, watcher) else { continue }
        // Tell the loops before anything else.
        for notify in observers { notify() }
        onChange(change)
      }
    }
  }

  /// Checks the files of `settings`, and reads them if they have changed. Returns the change, and the observers to
  /// notify.
  private static func look(
    _ settings: TrustSettings, _ state: Monitor<State>, _ systemFile: String?, _ watcher: Int
  ) -> (TrustChange, [@Sendable () -> Void])? {
    let known = state.withLock { state -> (stamps: [FileStamp], system: (store: TrustStore, stamp: FileStamp)?)? in
      guard state.watcher == watcher, let entry = state.entries[settings], !entry.isBeingRead else { return nil }
      state.entries[settings]?.isBeingRead = true
      state.look = (settings, .now)
      return (entry.stamps, state.system)
    }
    guard let known else { return nil }
    let stamps = files(of: settings, systemFile).map { FileStamp(path: $0) }
    var system = known.system
    var read: Result<TrustStore, TrustStoreError>?
    if stamps != known.stamps {
      read = Result { () throws(TrustStoreError) in try load(settings, systemFile, &system) }
    }
    return state.withLock { state -> (TrustChange, [@Sendable () -> Void])? in
      if state.watcher == watcher { state.look = nil }
      state.entries[settings]?.isBeingRead = false
      state.entries[settings]?.stamps = stamps
      state.system = system
      switch read {
      case nil: return nil
      case .success(let store):
        state.entries[settings]?.store = store
        return (
          TrustChange(settings: settings, problem: nil),
          state.observers.filter { $0.settings == settings }.map(\.notify)
        )
      case .failure(let problem): return (TrustChange(settings: settings, problem: problem), [])
      }
    }
  }

  private static func findSystemFile() -> String? {
    if let file = unsafe getenv("SSL_CERT_FILE") { return unsafe String(cString: file) }
    guard unsafe getenv("SSL_CERT_DIR") == nil, let file = unsafe ccurl_default_ca_file(),
      unsafe access(file, R_OK) == 0
    else { return nil }
    return unsafe String(cString: file)
  }

  private static func files(of settings: TrustSettings, _ systemFile: String?) -> [String] {
    [settings.caFile, settings.usesSystemRoots ? systemFile : nil].compactMap(\.self)
  }

  private static func load(
    _ settings: TrustSettings, _ systemFile: String?, _ system: inout (store: TrustStore, stamp: FileStamp)?
  ) throws(TrustStoreError) -> TrustStore {
    let store = try TrustStore()
    if let caFile = settings.caFile { try store.load(caFile, isGuarded: true) }
    guard settings.usesSystemRoots else { return store }
    guard let systemFile else {
      store.useDefaultPaths()
      return store
    }
    let roots = try systemRoots(systemFile, &system)
    guard settings.caFile != nil else { return roots }
    try store.share(roots)
    return store
  }

  private static func systemRoots(
    _ file: String, _ known: inout (store: TrustStore, stamp: FileStamp)?
  ) throws(TrustStoreError) -> TrustStore {
    let stamp = FileStamp(path: file)
    if let known, known.stamp == stamp { return known.store }
    let store = try TrustStore()
    try store.load(file, isGuarded: false)
    known = (store, stamp)
    return store
  }
}

extension TrustSettings {
  fileprivate var usesSystemRoots: Bool { caFile == nil || addsSystemRoots }
}

// Freed after the last transfer that refers to it.
/// What the transfers with the same trust on one event loop share: DNS results and TLS sessions.
@safe final class CurlShare {
  let handle: UnsafeMutableRawPointer

  init() throws(UpstreamError) {
    guard let handle = unsafe ccurl_make_share() else { throw .other("libcurl has no memory") }
    unsafe self.handle = handle
  }

  deinit { unsafe curl_share_cleanup(handle) }
}

/// A trust on one event loop: its present store, and what was verified against that store and no other.
///
/// libcurl looks up sessions by the server's name and by its own options, which do not include a connection's store:
/// with a share for each store, a session that one store verified is not resumed for another. Pools do the same for
/// connections.
final class LoopTrust {
  private(set) var store: TrustStore
  private(set) var share: CurlShare

  private let settings: TrustSettings
  private let stores: TrustStores
  private let loop: EventLoop
  private var pools: [ObjectIdentifier: Member] = [:]

  private struct Member {
    unowned let pool: UpstreamPool
  }

  init(_ settings: TrustSettings, _ stores: TrustStores, _ loop: EventLoop) throws(UpstreamError) {
    self.settings = settings
    self.stores = stores
    self.loop = loop
    store = stores.store(for: settings, at: loop.now)
    share = try CurlShare()
    let reference = LoopTrustReference(self, loop)
    stores.observe(settings) { reference.refresh() }
  }

  /// `pool` closes its idle connections when the store changes, until it is removed.
  func add(_ pool: UpstreamPool) { pools[ObjectIdentifier(pool)] = Member(pool: pool) }

  func remove(_ pool: UpstreamPool) { pools[ObjectIdentifier(pool)] = nil }

  /// Checks whether the files have changed; if so, nothing that was verified against the old store is used any longer.
  func refresh() throws(UpstreamError) {
    let present = stores.store(for: settings, at: loop.now)
    guard present !== store else { return }
    // A pool that becomes empty may end, and remove itself.
    let pools = self.pools.values.map(\.pool)
    for pool in pools { pool.trustChanged() }
    share = try CurlShare()
    store = present
  }
}

// Sendable because the trust is touched on the loop's thread only, and the loop's reference is never changed.
/// Lets other threads tell a trust of a change; keeps its loop alive, but not the trust.
private final class LoopTrustReference: @unchecked Sendable {
  private let loop: EventLoop
  private weak var trust: LoopTrust?

  init(_ trust: LoopTrust, _ loop: EventLoop) {
    self.loop = loop
    self.trust = trust
  }

  func refresh() {
    loop.perform { [self] in
      // Without memory for a share the old store stays, without connections; the next connection tries again.
      do throws(UpstreamError) { try trust?.refresh() } catch {}
    }
  }
}
