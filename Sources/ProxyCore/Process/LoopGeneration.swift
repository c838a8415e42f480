internal import Bytes
internal import Reactor
internal import Telemetry
internal import Upstream

/// A generation on one event loop: its buffers, its connections to upstreams, and the counters of its routes.
///
/// An exchange takes the current one when it begins, and keeps it to its end.
final class LoopGeneration {
  let generation: Generation
  let buffers: BufferPool
  /// The pools, in the order in which routes refer to them.
  let pools: OnDemand<UpstreamPool>
  /// The hosts below wildcards that requests name.
  let requestedHosts: RequestedHosts
  /// The counters of routes, by position.
  let routes: OnDemand<RouteMetrics>
  /// The counters of requests that no route matched, or that could not be read.
  let unrouted: RouteMetrics
  /// The memory that requests under way are going to take.
  var expectedMemory: ExpectedMemory

  init(_ generation: Generation, _ catalog: LoopCatalog) {
    self.generation = generation
    let number = catalog.begin()
    buffers = catalog.buffers(generation.loopLimits)
    pools = generation.plan.pools { catalog.pool(to: $0, $1, of: number) }
    requestedHosts = catalog.requestedHosts(generation.plan.requestedHosts)
    routes = OnDemand(count: generation.routes.count) { [routes = generation.routes] in
      catalog.metrics(ofRoute: routes[$0].name)
    }
    unrouted = catalog.metrics(ofRoute: "")
    expectedMemory = ExpectedMemory(catalog.memory, loops: generation.loopLimits.loops)
  }

  /// The counters of `route`; nil means requests without one.
  func metrics(of route: ProxyRoute?) -> RouteMetrics {
    // Without a closure, which would copy this value, with a reference count for each member.
    if let route { return routes[route.index] }
    return unrouted
  }
}

/// What one event loop keeps from one generation to the next: connections to upstreams that have not changed, and counters.
final class LoopCatalog {
  let memory: MemoryAccount
  /// The number of the generation that serves.
  private var number = 0
  private let dialer: Dialer
  private let loop: EventLoop
  private let registry: MetricsRegistry
  private var buffers: BufferPool?
  private var pools: [UpstreamOrigin: UpstreamPool] = [:]
  private var requestedHosts: RequestedHosts?
  // By the name of the upstream: several pools may lead there, and a retired one still has connections.
  private var figures: [String: PoolFigures] = [:]
  private var routes: [String: RouteMetrics] = [:]

  // How much memory is kept in free buffers.
  private static let bytesKept = 8 * 1024 * 1024
  // One series for all hosts below wildcards: clients choose their names, and must not choose the number of series.
  private static let requested = PoolFigures.requestedHosts

  init(_ dialer: Dialer, _ loop: EventLoop, _ shared: SharedResources) {
    (self.dialer, self.loop, memory, registry) = (dialer, loop, shared.memory, shared.registry)
  }

  /// `generation` serves new requests. Ends what it does not use: connections in use end with their request.
  func keepOnly(what generation: Generation) {
    for (origin, pool) in pools where !generation.plan.upstreams.contains(origin) {
      pool.retire()
      pools[origin] = nil
    }
    let upstreams = generation.upstreamNames
    figures = figures.filter { upstreams.contains($0.key) || $0.key == Self.requested }
    routes = routes.filter { generation.routeNames.contains($0.key) || $0.key.isEmpty }
    for metrics in routes.values { metrics.keepOnly(callersOf: generation.callers) }
  }

  /// Sets the listeners that no upstream connection may lead to.
  func setOwnListeners(_ own: OwnListeners) { dialer.ownListeners = own }

  fileprivate func buffers(_ limits: LoopLimits) -> BufferPool {
    // Other loops cannot use free buffers.
    let keeping = min(Self.bytesKept, (memory.limit ?? .max) / 16 / limits.loops) / limits.bufferCapacity
    let fitting = buffers.flatMap { buffers in
      let isSame = buffers.bufferCapacity == limits.bufferCapacity && buffers.headCapacity == limits.headCapacity
      return isSame ? buffers : nil
    }
    guard let fitting else {
      let made = BufferPool(
        bufferCapacity: limits.bufferCapacity, keeping: keeping, headCapacity: limits.headCapacity, account: memory)
      buffers = made
      return made
    }
    fitting.mostKept = keeping
    return fitting
  }

  /// Begins another generation; returns its number.
  fileprivate func begin() -> Int {
    number += 1
    return number
  }

  fileprivate func pool(to origin: UpstreamOrigin, _ limits: UpstreamPool.Limits, of generation: Int) -> UpstreamPool {
    if let known = pools[origin] {
      if known.limits == limits { return known }
      if generation == number { known.retire() }
    }
    let made = UpstreamPool(
      origin: origin, limits: limits, figures: figures(of: origin.name), dialer: dialer, loop: loop)
    // A pool that only a request of an earlier generation needs is for that request alone.
    if generation == number { pools[origin] = made } else { made.retire() }
    return made
  }

  fileprivate func requestedHosts(_ settings: RequestedHosts.Settings?) -> RequestedHosts {
    if let requestedHosts, requestedHosts.settings == settings { return requestedHosts }
    requestedHosts?.retire()
    let settings = settings ?? RequestedHosts.Settings(hosts: 0, pool: .init(connections: 0, queue: 0))
    let figures = settings.hosts == 0 ? PoolFigures(upstream: Self.requested) : figures(of: Self.requested)
    let made = RequestedHosts(settings) { [dialer, loop] in
      UpstreamPool(origin: $0, limits: settings.pool, figures: figures, dialer: dialer, loop: loop)
    }
    requestedHosts = made
    return made
  }

  fileprivate func metrics(ofRoute name: String) -> RouteMetrics {
    if let known = routes[name] { return known }
    let made = RouteMetrics(registry, route: name)
    routes[name] = made
    return made
  }

  private func figures(of upstream: String) -> PoolFigures {
    if let known = figures[upstream] { return known }
    let made = PoolFigures(upstream: upstream)
    registry.show(made, upstream: upstream)
    figures[upstream] = made
    return made
  }
}
