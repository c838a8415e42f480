internal import HTTPService
internal import Locks

/// One resource of the API: who may use it in which way, and its responses.
struct Resource {
  /// The audience that tokens for it must have.
  let audience: String
  /// The scope that each method requires.
  let scopes: [String: String]
  /// The response for authorized requests.
  let answer: (ServiceRequest) -> ServiceResponse

  private struct Order: Encodable {
    let id: String
    let item: String
    let quantity: Int
  }

  private struct Orders: Encodable {
    let orders: [Order]
  }

  private struct Organization: Encodable {
    let code: String
    let name: String
  }

  private struct Organizations: Encodable {
    let code = "OK"
    let organizations: [Organization]
  }

  private static let orders = [
    Order(id: "7", item: "garden shed", quantity: 1), Order(id: "8", item: "watering can", quantity: 3),
  ]

  /// The resource at `path`, if there is one.
  init?(path: String, _ registry: Registry) {
    if path == "/v1/orders" {
      audience = registry.ordersAudience
      scopes = ["GET": "read:orders", "HEAD": "read:orders", "POST": "write:orders"]
      answer = { request in
        request.method == "POST"
          ? .json(201, Order(id: "9", item: "what was sent", quantity: 1)) : .json(200, Orders(orders: Self.orders))
      }
    } else if path.hasPrefix("/v1/orders/") {
      audience = registry.ordersAudience
      scopes = ["GET": "read:orders", "HEAD": "read:orders"]
      answer = { request in
        let id = request.path.dropFirst("/v1/orders/".count)
        return Self.orders.first { $0.id == id }.map { .json(200, $0) } ?? .error(404, "not_found", "no such order")
      }
    } else if path == "/api/v1/organizations" {
      audience = registry.managementAudience
      scopes = ["GET": "read:organizations", "HEAD": "read:organizations"]
      answer = { _ in .json(200, Organizations(organizations: [Organization(code: "org_1", name: "Example")])) }
    } else {
      return nil
    }
  }
}

/// Records the requests that a sandbox received, so that tests can check them.
final class Journal: Sendable {
  /// The counters of `GET /sandbox/stats`.
  struct Counters: Encodable, Equatable {
    /// Token requests that ended with a token: what Kinde bills.
    var tokensIssued = 0
    /// Token requests with another result.
    var tokensRefused = 0
    /// Requests to the API, `/echo` included.
    var apiRequests = 0
    /// Those of them that were rejected because of their token.
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

  /// The current counters.
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
