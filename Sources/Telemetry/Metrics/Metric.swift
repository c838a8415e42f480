/// Every metric, declared once. The registry accepts no others, so that `docs/metrics.md`, which is generated from
/// these declarations, is complete.
public enum Metric: CaseIterable, Sendable {
  case requests
  case errors
  case requestDuration
  case upstreamFirstByte
  case receivedBytes
  case sentBytes
  case requestsRepeated
  case requestsReplayed
  case refusalsPassedOn
  case requestsWithoutToken
  case placeholderTokens
  case requestsNormalised

  case tokenWaiting
  case tokenWait
  case throttledWaiting
  case concurrencyInFlight
  case concurrencyWaiting
  case concurrencyWait

  case callerRequests
  case passwordChecks

  case connections
  case connectionsAccepted
  case clients
  case tunnels
  case certificatesIssued

  case upstreamConnections
  case upstreamConnectionsIdle
  case upstreamConnectionsPinned
  case upstreamConnectionsOpened
  case upstreamConnectionsReused
  case upstreamConnect
  case upstreamConnectFailures
  case upstreamRequestsWaiting

  case tokenFetches
  case tokensIssuedTotal
  case tokensIssued
  case tokenBudget
  case tokensFromStore
  case tokenStoreProblems

  case configurationGeneration
  case configurationReloads
  case configurationLastReload
  case configurationLastReloadTime

  case memory
  case memoryLimit
  case memoryLevel
  case limitReached

  case logLinesDropped
  case processCPU
  case processResidentMemory
  case processVirtualMemory
  case processOpenDescriptors
  case processDescriptorLimit
  case processStartTime

  /// Its name, help text and labels.
  public var declaration: MetricDeclaration {
    switch self {
    case .requests:
      counter(
        "m2m_proxy_requests_total", .requests, labels: [.route, .status],
        "Requests by the class of the status that the client got.")
    case .errors:
      counter(
        "m2m_proxy_errors_total", .requests, labels: [.route, .hop, .kind],
        "Requests and handshakes that failed, by where and why.")
    case .requestDuration:
      durations(
        "m2m_proxy_request_duration_seconds", .requests, labels: [.route],
        "From the first byte of a request to the last byte of its response.")
    case .upstreamFirstByte:
      durations(
        "m2m_proxy_upstream_first_byte_seconds", .requests, labels: [.route],
        "From the first byte of a request to the first byte of the response.")
    case .receivedBytes:
      counter(
        "m2m_proxy_received_bytes_total", .requests, unit: .bytes, labels: [.route],
        "Bytes of request bodies received from clients.")
    case .sentBytes:
      counter(
        "m2m_proxy_sent_bytes_total", .requests, unit: .bytes, labels: [.route],
        "Bytes of response bodies sent to clients.")
    case .requestsRepeated:
      counter(
        "m2m_proxy_requests_repeated_total", .requests, labels: [.route],
        "Requests sent again because an idle connection turned out to be closed.")
    case .requestsReplayed:
      counter(
        "m2m_proxy_requests_replayed_total", .requests, labels: [.route, .cause],
        "Requests sent again because of the status of their response.")
    case .refusalsPassedOn:
      counter(
        "m2m_proxy_refusals_passed_on_total", .requests, labels: [.route, .cause],
        "Responses that refused the token (401) and were passed on without fetching another token.")
    case .requestsWithoutToken:
      counter(
        "m2m_proxy_requests_without_token_total", .requests, labels: [.route],
        "Requests forwarded without a token because there was none (without_token: forward).")
    case .placeholderTokens:
      counter(
        "m2m_proxy_placeholder_tokens_total", .requests, labels: [.route],
        "Token requests that got a placeholder from token_endpoint of a route.")
    case .requestsNormalised:
      counter(
        "m2m_proxy_requests_normalised_total", .requests, labels: [.route, .kind],
        "Requests that were corrected before they were read, by what was corrected.")

    case .tokenWaiting:
      gauge("m2m_proxy_token_waiting", .waiting, labels: [.route], "Requests that wait for a token now.")
    case .tokenWait:
      durations(
        "m2m_proxy_token_wait_seconds", .waiting, labels: [.route],
        "How long requests waited for a token, of those that had to.")
    case .throttledWaiting:
      gauge(
        "m2m_proxy_throttled_waiting", .waiting, labels: [.route],
        "Requests that wait now because the API asked for it (Retry-After).")
    case .concurrencyInFlight:
      gauge(
        "m2m_proxy_concurrency_in_flight", .waiting, labels: [.route],
        "Requests under way, of routes with concurrency.")
    case .concurrencyWaiting:
      gauge(
        "m2m_proxy_concurrency_waiting", .waiting, labels: [.route],
        "Requests that wait for their turn now, of routes with concurrency.")
    case .concurrencyWait:
      durations(
        "m2m_proxy_concurrency_wait_seconds", .waiting, labels: [.route],
        "How long requests waited for their turn, of those that had to.")

    case .callerRequests:
      counter("m2m_proxy_caller_requests_total", .callers, labels: [.route, .caller], "Requests of callers.")
    case .passwordChecks:
      counter(
        "m2m_proxy_password_checks_total", .callers, labels: [.result],
        "Passwords of callers: right, wrong, or not checked because there were too many (limited, busy).")

    case .connections:
      gauge("m2m_proxy_connections", .connections, "Client connections that are open.")
    case .connectionsAccepted:
      counter("m2m_proxy_connections_accepted_total", .connections, "Client connections accepted.")
    case .clients:
      gauge("m2m_proxy_clients", .connections, "Client addresses that have connections.")
    case .tunnels:
      gauge(
        "m2m_proxy_tunnels", .connections, labels: [.route],
        "Tunnels that are open: by CONNECT, and connections that changed their protocol (WebSocket).")
    case .certificatesIssued:
      counter(
        "m2m_proxy_certificates_issued_total", .connections, "Certificates issued for intercepted hosts.")

    case .upstreamConnections:
      gauge(
        "m2m_proxy_upstream_connections", .upstreams, labels: [.upstream],
        "Upstream connections that are open or being made.")
    case .upstreamConnectionsIdle:
      gauge(
        "m2m_proxy_upstream_connections_idle", .upstreams, labels: [.upstream],
        "Upstream connections that no request uses.")
    case .upstreamConnectionsPinned:
      gauge(
        "m2m_proxy_upstream_connections_pinned", .upstreams, labels: [.upstream],
        "Upstream connections that belong to one client each (NTLM, Negotiate).")
    case .upstreamConnectionsOpened:
      counter(
        "m2m_proxy_upstream_connections_opened_total", .upstreams, labels: [.route],
        "Connections made to the upstream.")
    case .upstreamConnectionsReused:
      counter(
        "m2m_proxy_upstream_connections_reused_total", .upstreams, labels: [.route],
        "Requests sent on a connection that was open already.")
    case .upstreamConnect:
      durations(
        "m2m_proxy_upstream_connect_seconds", .upstreams, labels: [.route],
        "How long requests waited for an upstream connection, of those that found none idle.")
    case .upstreamConnectFailures:
      counter(
        "m2m_proxy_upstream_connect_failures_total", .upstreams, labels: [.upstream, .address, .cause],
        "Attempts to connect to an address of an upstream, or of a token endpoint, that failed.")
    case .upstreamRequestsWaiting:
      gauge(
        "m2m_proxy_upstream_requests_waiting", .upstreams, labels: [.upstream],
        "Requests that wait for an upstream connection now.")

    case .tokenFetches:
      counter(
        "m2m_proxy_token_fetches_total", .tokens, labels: [.credentials, .result],
        "Requests to token endpoints, by how they ended.")
    case .tokensIssuedTotal:
      counter(
        "m2m_proxy_tokens_issued_total", .tokens, labels: [.credentials],
        "Tokens that token endpoints issued, usable or not: what an authorization server may charge for.")
    case .tokensIssued:
      gauge(
        "m2m_proxy_tokens_issued", .tokens, labels: [.credentials, .period],
        "Tokens issued in the current hour, day and month (UTC).")
    case .tokenBudget:
      gauge(
        "m2m_proxy_token_budget", .tokens, labels: [.credentials, .period],
        "Tokens that the budget allows in each period.")
    case .tokensFromStore:
      counter(
        "m2m_proxy_tokens_from_store_total", .tokens, labels: [.credentials],
        "Tokens that came from the token store, so that none had to be fetched.")
    case .tokenStoreProblems:
      counter(
        "m2m_proxy_token_store_problems_total", .tokens, labels: [.kind],
        "Times that the token store could not be used, by the kind of problem.")

    case .configurationGeneration:
      gauge(
        "m2m_proxy_config_generation", .process,
        "How often proxy.conf has taken effect: 1 after the start, and one more after each reload.")
    case .configurationReloads:
      counter(
        "m2m_proxy_config_reloads_total", .process, labels: [.result],
        "Reloads of proxy.conf, by what became of them: ok, invalid or unavailable.")
    case .configurationLastReload:
      gauge(
        "m2m_proxy_config_last_reload_successful", .process,
        "1 if the last reload took effect, or none was tried; 0 if the configuration before it is still in use.")
    case .configurationLastReloadTime:
      gauge(
        "m2m_proxy_config_last_reload_success_timestamp_seconds", .process, unit: .seconds,
        "When proxy.conf took effect last, in seconds since 1970.")

    case .memory:
      gauge(
        "m2m_proxy_memory_bytes", .limits, unit: .bytes,
        "Memory that buffers and connections take: what counts for limits.memory.")
    case .memoryLimit:
      gauge(
        "m2m_proxy_memory_limit_bytes", .limits, unit: .bytes,
        "Memory that buffers and connections may take; +Inf for no limit.")
    case .memoryLevel:
      gauge(
        "m2m_proxy_memory_level", .limits,
        "0 enough room, 1 smaller buffers (from 1/2), 2 requests wait (from 3/4), 3 none begins.")
    case .limitReached:
      counter(
        "m2m_proxy_limit_reached_total", .limits, labels: [.limit],
        "How often a limit rejected, ended or delayed something.")

    case .logLinesDropped:
      counter(
        "m2m_proxy_log_lines_dropped_total", .process, labels: [.reason],
        "Lines for the log and standard error that were lost, by reason.")
    // The names and help texts of Prometheus' own client libraries.
    case .processCPU:
      counter(
        "process_cpu_seconds_total", .process, unit: .seconds, "Total user and system CPU time spent in seconds.")
    case .processResidentMemory:
      gauge("process_resident_memory_bytes", .process, unit: .bytes, "Resident memory size in bytes.")
    case .processVirtualMemory:
      gauge("process_virtual_memory_bytes", .process, unit: .bytes, "Virtual memory size in bytes.")
    case .processOpenDescriptors:
      gauge("process_open_fds", .process, "Number of open file descriptors.")
    case .processDescriptorLimit:
      gauge("process_max_fds", .process, "Maximum number of open file descriptors.")
    case .processStartTime:
      gauge(
        "process_start_time_seconds", .process, unit: .seconds,
        "Start time of the process since unix epoch in seconds.")
    }
  }

  private func counter(
    _ name: String, _ area: MetricDeclaration.Area, unit: MetricDeclaration.Unit? = nil, labels: [MetricLabel] = [],
    _ help: String
  ) -> MetricDeclaration {
    MetricDeclaration(name, .counter, area, unit: unit, labels: labels, help)
  }

  private func gauge(
    _ name: String, _ area: MetricDeclaration.Area, unit: MetricDeclaration.Unit? = nil, labels: [MetricLabel] = [],
    _ help: String
  ) -> MetricDeclaration {
    MetricDeclaration(name, .gauge, area, unit: unit, labels: labels, help)
  }

  private func durations(
    _ name: String, _ area: MetricDeclaration.Area, labels: [MetricLabel], _ help: String
  ) -> MetricDeclaration {
    MetricDeclaration(
      name, .histogram(upperBounds: Histogram.requestUpperBounds), area, unit: .seconds, labels: labels, help)
  }
}
