/// What is wrong with a message. The cases carry nothing of the message: their number is bounded, and so is what they say.
public enum WireError: String, Error, Sendable, CaseIterable {
  // The start line.
  case tlsHandshake
  case malformedRequestLine
  case requestLineTooLong
  case methodTooLong
  case invalidTargetByte
  case missingVersion
  case malformedVersion
  case unsupportedVersion
  case malformedStatusLine
  case statusLineTooLong
  case invalidStatus

  // The head as a whole, and its lines.
  case headTooLarge
  case tooManyFields
  case bareLineFeed
  case bareCarriageReturn
  case controlByte
  case foldedField
  case whitespaceInFieldName
  case invalidFieldName
  case missingColon
  case malformedConnection
  case tooManyConnectionOptions

  // Where the body ends.
  case malformedContentLength
  case contentLengthTooLarge
  case repeatedContentLength
  case lengthAndTransferEncoding
  case malformedTransferEncoding
  case repeatedTransferEncoding
  case transferEncodingNotChunked
  case unsupportedTransferCoding
  case transferEncodingInHTTP10
  case disguisedFraming
  case framedInterim

  // Where the request goes.
  case missingHost
  case repeatedHost
  case emptyHost
  case invalidHost
  case ambiguousAddress
  case invalidPort
  case missingPort
  case userinfo
  case invalidTarget
  case asteriskWithoutOptions
  case unsupportedScheme
  case fragment
  case invalidPathByte
  case invalidPercentEncoding

  // The body.
  case malformedChunkSize
  case chunkSizeTooLarge
  case malformedChunkExtension
  case chunkExtensionTooLong
  case chunkNotTerminated
  case trailerTooLarge
  case truncatedBody
}

extension WireError {
  /// The status that answers a request with this fault. A response with it is answered with 502, whatever this says.
  public var status: Int {
    switch self {
    case .requestLineTooLong: 414
    case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
    case .contentLengthTooLarge: 413
    case .methodTooLong, .unsupportedTransferCoding: 501
    case .unsupportedVersion: 505
    default: 400
    }
  }

  /// Whether it is unknown where the message ends, so that nothing after it on the connection can be trusted.
  ///
  /// Only faults that ``RequestTarget/parse(_:target:method:)`` finds in a head that is complete leave no such doubt.
  public var isFramingDoubt: Bool {
    switch self {
    case .missingPort, .userinfo, .invalidTarget, .asteriskWithoutOptions, .unsupportedScheme, .fragment,
      .invalidPathByte, .invalidPercentEncoding:
      false
    default: true
    }
  }
}
