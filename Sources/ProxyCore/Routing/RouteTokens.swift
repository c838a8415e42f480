internal import Configuration
internal import Tokens

/// Where the tokens of a route come from.
struct RouteTokens: Sendable {
  /// For a route that forwards without a token.
  static let none = RouteTokens()

  /// Whether the route has a token.
  let exist: Bool
  private let usual: TokenSource?
  // By the number of the caller; empty if all callers have the same.
  private let byCaller: [TokenSource?]

  private init() {
    (exist, usual, byCaller) = (false, nil, [])
  }

  /// - Parameter callers: how many callers there are.
  /// - Parameter source: makes the source for credentials, given their number.
  init(_ choice: CredentialsChoice, callers: Int, _ source: (Int) -> TokenSource) {
    exist = choice.hasToken
    switch choice {
    case .noToken:
      (usual, byCaller) = (nil, [])
    case .same(let number):
      (usual, byCaller) = (source(number), [])
    case .byCaller(let table, let others):
      let usual = others.map(source)
      self.usual = usual
      byCaller = (0..<callers).map { caller in table[caller].map(source) ?? usual }
    }
  }

  /// The source for a request of `caller`, or, if that is nil, of an unknown client. There is none if the route serves
  /// no such request, or has no token.
  func source(for caller: Int?) -> TokenSource? {
    guard let caller, !byCaller.isEmpty else { return usual }
    return byCaller[caller]
  }
}
