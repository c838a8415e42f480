/// One field line of a request or a response, as text.
public struct ServiceField: Sendable, Equatable {
  /// The name, in the case that was received or is to be sent.
  public let name: String
  /// The value, without the whitespace around it.
  public let value: String

  /// The field line `name: value`.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}
