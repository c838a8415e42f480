internal import HTTPService

/// One resource of the API: who may do what with it, and what it answers.
struct Resource {
  /// The audience that tokens for it must have.
  let audience: String
  /// The scope that each method asks for.
  let scopes: [String: String]
  /// What is answered to those who may.
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
