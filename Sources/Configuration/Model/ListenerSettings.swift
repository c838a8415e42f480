public import Addresses

/// An address to listen on, and who may use it.
public struct ListenerSettings: Sendable, Hashable {
  /// The address and port.
  public var address: ListenAddress
  /// The clients that are served; nil for everybody who reaches it.
  public var allow: [IPNetwork]?
  /// The callers that are served; nil for everybody, known or not.
  public var callers: CallerRule?
  /// What becomes of requests that a browser sends on behalf of a web page.
  public var browserRequests: BrowserRequests

  /// Settings of these parts. Requests of browsers are refused on loopback, unless `browserRequests` says otherwise.
  public init(address: ListenAddress, allow: [IPNetwork]? = nil, browserRequests: BrowserRequests? = nil) {
    self.address = address
    self.allow = allow
    self.browserRequests = browserRequests ?? (address.isLoopback ? .refuse : .allow)
  }
}
