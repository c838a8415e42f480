/// A small request that libcurl makes as a whole: for token endpoints, not for what is proxied.
public struct ClientRequest {
  /// An http or https URL.
  public var url: String
  /// The complete field lines, without line ends. `Content-Length` is libcurl's affair.
  public var fieldLines: [String]
  /// The content of the POST request.
  public var body: [UInt8]
  /// From the first look at DNS to the last byte of the answer.
  public var timeout: Duration
  /// How much of the answer's content is kept, in bytes.
  public var responseLimit: Int
  /// How the connection is made.
  public var options: ConnectionOptions

  /// A request of these parts.
  public init(
    url: String, fieldLines: [String], body: [UInt8], timeout: Duration, responseLimit: Int,
    options: ConnectionOptions = ConnectionOptions()
  ) {
    self.url = url
    self.fieldLines = fieldLines
    self.body = body
    self.timeout = timeout
    self.responseLimit = responseLimit
    self.options = options
  }
}

/// The answer to a ``ClientRequest``.
public struct ClientResponse: Sendable {
  /// The status code.
  public var status: Int
  /// The fields as received, in their order; names in lower case.
  public var fields: [(name: String, value: String)]
  /// The content, up to the request's limit.
  public var body: [UInt8]
  /// Whether there was more content than the limit.
  public var isCut: Bool

  /// The value of the first field called `name`, in lower case.
  public func value(of name: String) -> String? {
    fields.first { $0.name == name }?.value
  }
}
