/// An http or https URL without user information and fragment.
public struct URLParts: Sendable, Hashable {
  /// Scheme, host and port.
  public var origin: Origin
  /// The path, which begins with "/", and the query with its "?", if there is one: what a request line names.
  public var target: String

  /// A URL of these parts; nothing is checked.
  public init(origin: Origin, target: String) {
    self.origin = origin
    self.target = target
  }
}

extension URLParts: CustomStringConvertible {
  /// The URL, without the port if it is the scheme's own.
  public var description: String { "\(origin)\(target)" }
}
