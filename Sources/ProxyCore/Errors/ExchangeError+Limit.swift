internal import HTTPWire
internal import Upstream

extension ExchangeError {
  /// The limit of proxy.conf that ended the exchange; nil where something else did.
  var limit: Limit? {
    switch self {
    case .contentTooLarge: .body
    case .clientTooSlow: .minRate
    case .tooManyConnections: .connectionsPerClient
    case .headTooLarge: .head
    case .noPlace(_, let refusal): refusal.limit
    case .noMemory: .memory
    case .tooManyHosts(_, let ofClient): ofClient ? .clientShare : .wildcardHosts
    case .upstream(.exhausted, _): .queue
    case .upstream(.clientShare, _): .clientShare
    case .upstream(.noDescriptors, _): .descriptors
    case .request(let error): Self.requestLimit(error)
    case .response(.headTooLarge, _), .response(.statusLineTooLong, _): .responseHead
    case .response(.tooManyFields, _): .fields
    default: nil
    }
  }

  private static func requestLimit(_ error: WireError) -> Limit? {
    switch error {
    case .requestLineTooLong, .methodTooLong: .requestLine
    case .headTooLarge: .head
    case .tooManyFields: .fields
    default: nil
    }
  }
}
