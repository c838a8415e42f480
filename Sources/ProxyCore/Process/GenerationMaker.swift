internal import Bytes
internal import Callers
internal import Configuration
internal import Cryptography
internal import Interception
internal import Outbound
internal import Secrets
internal import Telemetry
internal import Tokens
internal import Upstream

/// Makes the generations of a process from what proxy.conf says, one after the other.
///
/// What two of them have in common is carried over: tokens and their counts, the verified passwords of callers, and the
/// places of concurrency limits. Used by one thread at a time.
/// the places of concurrency limits. Used by one thread at a time.
// Sendable because the process starts on one thread, and a single other thread makes the reloads, which come after that.
final class GenerationMaker: @unchecked Sendable {
  /// A generation that does not serve yet, with what belongs to it.
  struct Prepared {
    let configuration: ProxyConfiguration
    let authority: CertificateAuthority?
    let generation: Generation
    let clients: [TokenClient]
    fileprivate let grants: [TokenGrant]
    fileprivate let limits: [String: ConcurrencyLimit]
  }

  private let loops: Int
  private let shared: SharedResources
  private let trust: TrustStores
  private let tokens: TokenSources
  private let ways: TokenConnectionOptions
  private let events: TokenEventLog
  private let logger: EventLog
  private let connectFailures: ConnectFailures
  private(set) var current: Prepared?

  init(
    loops: Int, shared: SharedResources, trust: TrustStores, tokens: TokenSources, ways: TokenConnectionOptions,
    events: TokenEventLog, connectFailures: ConnectFailures, logger: EventLog
  ) {
    self.connectFailures = connectFailures
    (self.loops, self.shared, self.trust, self.tokens) = (loops, shared, trust, tokens)
    (self.ways, self.events, self.logger) = (ways, events, logger)
  }

  /// The tokens that can be used now, for the process that takes the place of this one; nil where there are none. From any thread.
  var validTokens: Secret? { tokens.handOver() }

  /// The trusts of all connections that `configuration` leads to.
  static func trusts(of configuration: ProxyConfiguration) -> Set<TrustSettings> {
    Set(configuration.routes.map(\.trust) + configuration.credentials.map(\.trust))
  }

  /// Makes the generation of `configuration`. Changes nothing for the one that serves, even if this throws.
  ///
  /// - Parameter authority: issues the certificates of intercepted hosts; nil if there are none.
  /// - Throws: what is not available.
  func prepare(
    _ configuration: ProxyConfiguration, _ authority: CertificateAuthority?
  ) throws(StartError) -> Prepared {
    do throws(TrustStoreError) { try trust.add(Self.trusts(of: configuration)) } catch { throw StartError("\(error)") }
    let known = Dictionary((current?.clients ?? []).map { ($0.name, $0) }) { first, _ in first }
    let clients = configuration.credentials.map {
      TokenClient($0, after: known[$0.name], way: ways.number(for: $0, configuration.connections), events: events)
    }
    let callers = try callers(configuration)
    let leafCertificates = try leafCertificates(configuration, authority)
    var grants: [TokenGrant] = []
    var limits: [String: ConcurrencyLimit] = [:]
    let generation = Generation(
      configuration, loops: loops, callers: callers, leafCertificates: leafCertificates,
      source: { number, route in
        let grant = clients[number].grant(for: route)
        grants.append(grant)
        return tokens.source(for: grant)
      },
      concurrency: { route in
        guard let settings = route.concurrency else { return nil }
        let kept = current?.limits[route.name].flatMap { $0.canBecome(settings) ? $0 : nil }
        let limit = kept ?? ConcurrencyLimit(settings)
        limits[route.name] = limit
        return limit
      })
    return Prepared(
      configuration: configuration, authority: authority, generation: generation, clients: clients, grants: grants,
      limits: limits)
  }

  /// Makes `prepared` the current generation, and changes what all generations share accordingly. Cannot fail.
  func commit(_ prepared: Prepared) {
    let previous = current
    current = prepared
    let configuration = prepared.configuration
    tokens.adopt(prepared.grants)
    for route in configuration.routes {
      guard let limit = prepared.limits[route.name], let settings = route.concurrency else { continue }
      limit.change(to: settings)
    }
    shared.memory.change(limit: MemoryBound(configuration.limits.memory).bytes)
    shared.clients.change(limit: configuration.limits.mostConnectionsPerClient)
    for client in prepared.clients { client.takeEffect() }
    show(prepared, after: previous)
  }

  private func callers(_ configuration: ProxyConfiguration) throws(StartError) -> CallerDirectory? {
    let callers = configuration.callers
    if callers.isEmpty { return nil }
    let known = current?.generation.callers
    if let known, current?.configuration.callers == callers { return known }
    guard callers.contains(where: { $0.password != nil }) else { return CallerDirectory(callers, passwords: nil) }
    do {
      let passwords = try PasswordVerifier(
        callers, after: known?.passwords, account: shared.memory, registry: shared.registry, logger: logger)
      try passwords.start()
      return CallerDirectory(callers, passwords: passwords)
    } catch {
      throw StartError("the passwords of callers cannot be prepared: \(error)")
    }
  }

  private func leafCertificates(
    _ configuration: ProxyConfiguration, _ authority: CertificateAuthority?
  ) throws(StartError) -> LeafCertificates? {
    guard let authority, let settings = configuration.interception else { return nil }
    if let current, let known = current.generation.leafCertificates, let before = current.configuration.interception,
      current.authority?.certificates.map(\.der) == authority.certificates.map(\.der),
      before.leafLifetime == settings.leafLifetime,
      before.minimum == settings.minimum
    {
      return known
    }
    do {
      return try LeafCertificates(authority, lifetime: settings.leafLifetime.duration, minimum: settings.minimum)
    } catch {
      throw StartError("the certificates of intercepted hosts cannot be made: \(error)")
    }
  }

  // MARK: Metrics

  /// Shows the series of `prepared`, and no longer those that only `previous` had.
  private func show(_ prepared: Prepared, after previous: Prepared?) {
    let registry = shared.registry
    let (generation, old) = (prepared.generation, previous?.generation)
    if let old {
      registry.remove(.route, old.routeNames.subtracting(generation.routeNames))
      registry.remove(.upstream, old.upstreamNames.subtracting(generation.upstreamNames))
      connectFailures.forget(old.upstreamNames.subtracting(generation.upstreamNames))
      registry.remove(.caller, Set(old.callers?.names ?? []).subtracting(generation.callers?.names ?? []))
      let credentials = Set(old.credentialsNames).subtracting(generation.credentialsNames)
      registry.remove(.credentials, credentials)
      if !credentials.isEmpty { events.forgetCounters() }
    }
    let known = Dictionary((previous?.clients ?? []).map { ($0.name, $0) }) { first, _ in first }
    for client in prepared.clients { registry.register(client, inPlaceOf: known[client.name]) }
    for (name, limit) in previous?.limits ?? [:] where limit !== prepared.limits[name] {
      for metric in [Metric.concurrencyInFlight, .concurrencyWaiting] { registry.remove(metric, [.route: name]) }
    }
    for (name, limit) in prepared.limits where limit !== previous?.limits[name] {
      limit.register(registry, route: name)
    }
    guard let leafCertificates = generation.leafCertificates, leafCertificates !== old?.leafCertificates else { return }
    registry.remove(.certificatesIssued)
    registry.read(.certificatesIssued) { Double(leafCertificates.issued) }
  }
}

extension Limits {
  /// How many connections one client may have: some are always left to others, even if there are fewer than its limit.
  var mostConnectionsPerClient: Int {
    guard let share = clientShare else { return connectionsPerClient }
    return min(connectionsPerClient, share.part(of: min(connections, DescriptorLimit.forConnections)))
  }
}
