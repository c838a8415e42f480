internal import HTTPService
internal import Locks

/// What was asked of a sandbox, for whoever wants to know afterwards.
final class Journal: Sendable {
  /// The counters of `GET /sandbox/stats`.
  struct Counters: Encodable, Equatable {
    /// Token requests that ended with a token: what Kinde bills.
    var tokensIssued = 0
    /// Token requests that ended otherwise.
    var tokensRefused = 0
    /// Requests to the API, `/echo` included.
    var apiRequests = 0
    /// Those of them that were refused for their token.
    var apiRefused = 0

    enum CodingKeys: String, CodingKey {
      case tokensIssued = "tokens_issued"
      case tokensRefused = "tokens_refused"
      case apiRequests = "api_requests"
      case apiRefused = "api_refused"
    }
  }

  private struct Entries {
    var counters = Counters()
    var last = "nothing yet\n"
  }

  private let entries = Monitor(Entries())

  /// The counters as they are.
  var counters: Counters { entries.withLock { $0.counters } }

  /// The last request that the API received, as text; tokens are cut short.
  var lastRequest: String { entries.withLock { $0.last } }

  func noteTokenRequest(isIssued: Bool) {
    entries.withLock { entries in
      if isIssued { entries.counters.tokensIssued += 1 } else { entries.counters.tokensRefused += 1 }
    }
  }

  func noteAPIRequest(_ request: ServiceRequest, token: BearerToken, isRefused: Bool) {
    var text = "\(request.method) \(request.target)\n"
    for field in request.fields {
      let isToken = field.name.lowercased() == "authorization"
      text += "\(field.name): \(isToken ? token.summary(of: field.value) : field.value)\n"
    }
    if !request.body.isEmpty { text += "(\(request.body.count) bytes)\n" }
    entries.withLock { entries in
      entries.counters.apiRequests += 1
      if isRefused { entries.counters.apiRefused += 1 }
      entries.last = text
    }
  }
}
