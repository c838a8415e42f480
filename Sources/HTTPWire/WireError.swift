/// What is wrong with a message; ``message`` says each in a sentence.
///
/// The cases carry nothing of the message: their number is bounded, and so is what they say.
public enum WireError: String, Error, Sendable, CaseIterable {
  /// The start line.
  case tlsHandshake, plainHTTP, proxyHeader, malformedRequestLine, requestLineTooLong, methodTooLong, invalidTargetByte,
    missingVersion, malformedVersion, unsupportedVersion, malformedStatusLine, statusLineTooLong, invalidStatus

  /// The head as a whole, and its lines.
  case headTooLarge, tooManyFields, bareLineFeed, bareCarriageReturn, controlByte, foldedField, whitespaceInFieldName,
    invalidFieldName, missingColon, malformedConnection, tooManyConnectionOptions, unknownExpectation,
    malformedMaxForwards

  /// Where the body ends.
  case malformedContentLength, contentLengthTooLarge, repeatedContentLength, lengthAndTransferEncoding,
    malformedTransferEncoding, repeatedTransferEncoding, transferEncodingNotChunked, unsupportedTransferCoding,
    transferEncodingInHTTP10, disguisedFraming, framedInterim, framedConnect

  /// Which answer of several is the final one.
  case unaskedUpgrade, unofferedUpgrade, tooManyInterims

  /// Where the request goes.
  case missingHost, repeatedHost, emptyHost, invalidHost, ambiguousAddress, invalidPort, missingPort, userinfo,
    invalidTarget, asteriskWithoutOptions, unsupportedScheme, fragment, invalidPathByte, invalidPercentEncoding

  /// The body.
  case malformedChunkSize, chunkSizeTooLarge, malformedChunkExtension, chunkExtensionTooLong, chunkNotTerminated,
    trailerTooLarge, truncatedBody
}

extension WireError {
  /// The status that answers a request with this fault. A response with it is answered with 502, whatever this says.
  public var status: Int {
    switch self {
    case .requestLineTooLong: 414
    case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
    case .contentLengthTooLarge: 413
    case .unknownExpectation: 417
    case .methodTooLong, .unsupportedTransferCoding: 501
    case .unsupportedVersion: 505
    default: 400
    }
  }

  /// Whether it is unknown where the message ends, so that nothing after it on the connection can be trusted.
  ///
  /// Only what ``RequestTarget/parse(_:target:method:)`` alone finds, in a head that is complete, leaves no such doubt.
  public var isFramingDoubt: Bool {
    switch self {
    case .missingPort, .invalidTarget, .asteriskWithoutOptions, .unsupportedScheme, .fragment,
      .invalidPathByte, .invalidPercentEncoding:
      false
    default: true
    }
  }
}
