/// A metric's name, kind, unit, labels and help text. ``Metric`` has the declarations of all metrics; the registry and
/// `docs/metrics.md` are made from them.
public struct MetricDeclaration: Equatable, Sendable {
  /// How the values of a metric behave.
  public enum Kind: Equatable, Sendable {
    /// It only grows.
    case counter
    /// It goes up and down.
    case gauge
    /// Durations in buckets, whose upper bounds are in seconds, ascending.
    case histogram(upperBounds: [Double])

    /// The type on the `# TYPE` line.
    public var name: String {
      switch self {
      case .counter: "counter"
      case .gauge: "gauge"
      case .histogram: "histogram"
      }
    }
  }

  /// The unit of a metric that does not count things. The metric's name contains it.
  public enum Unit: String, CaseIterable, Sendable {
    case bytes
    case seconds
  }

  /// The parts of `docs/metrics.md`.
  public enum Area: String, CaseIterable, Sendable {
    case requests = "Requests"
    case waiting = "Requests that wait"
    case callers = "Callers"
    case connections = "Client connections and tunnels"
    case upstreams = "Upstream connections"
    case tokens = "Tokens"
    case limits = "Memory and limits"
    case process = "The process"
  }

  /// The name, with the unit, and `_total` at the end for a counter.
  public let name: String
  /// How its values behave.
  public let kind: Kind
  /// The unit of its values, if they have one.
  public let unit: Unit?
  /// The labels of every series.
  public let labels: [MetricLabel]
  /// The help text, one sentence.
  public let help: String
  /// Where `docs/metrics.md` shows it.
  public let area: Area

  init(
    _ name: String, _ kind: Kind, _ area: Area, unit: Unit? = nil, labels: [MetricLabel] = [], _ help: String
  ) {
    self.name = name
    self.kind = kind
    self.unit = unit
    self.labels = labels
    self.help = help
    self.area = area
  }
}

/// The labels that metrics can have.
public enum MetricLabel: String, CaseIterable, Sendable {
  case route
  case status
  case hop
  case kind
  case caller
  case cause
  case upstream
  case address
  case limit
  case credentials
  case period
  case result
  case reason

  /// What the values of the label mean.
  public var meaning: String {
    switch self {
    case .route: "the name of the route; empty for what belongs to no route"
    case .status: "`1xx`, `2xx`, `3xx`, `4xx` or `5xx`"
    case .hop: "where it failed: `client`, `policy`, `token`, `upstream` or `internal`"
    case .kind: "the kind of error or problem, the same as `error` in the log; of corrections, as `normalised` there"
    case .caller: "the name of one of `callers`"
    case .cause:
      "the status before a repetition; why a [refusal](operations.md#tokens) was passed on, or connecting failed"
    case .upstream: "scheme, host and port; `*` for all hosts of routes that forward to the requested host"
    case .address:
      "address and port that the proxy connected to; `other` for hosts that requests name, and beyond 500 series"
    case .limit: "the name of the limit in proxy.conf; `descriptors` for the system's limit of open files"
    case .credentials: "the name of one of `credentials`"
    case .period: "`hour`, `day` or `month`"
    case .result: "for token fetches `ok` or the kind of error; for passwords and reloads see the metric"
    case .reason: "why lines were lost ([Lost lines](operations.md#lost-lines))"
    }
  }
}
