/// What is wrong with a message; ``message`` describes it in a sentence.
///
/// The cases carry no part of the message: their number is bounded, and so is what they say.
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

  /// Which of several responses is the final one.
  case unaskedUpgrade, unofferedUpgrade, interimsTooLarge

  /// Where the request goes.
  case missingHost, repeatedHost, emptyHost, invalidHost, ambiguousAddress, invalidPort, missingPort,
    invalidConnectTarget, userinfo, invalidTarget, asteriskWithoutOptions, unsupportedScheme, fragment, invalidPathByte,
    invalidPercentEncoding

  /// The body.
  case malformedChunkSize, chunkSizeTooLarge, malformedChunkExtension, chunkExtensionTooLong, chunkNotTerminated,
    trailerTooLarge, truncatedBody
}

extension WireError {
  /// The status of the response to a request with this error. If a response has it, the client gets 502 instead.
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
}

extension WireError {
  /// One sentence for people: what is wrong, and what was expected.
  public var message: String {
    switch self {
    case .tlsHandshake: "The client began a TLS handshake; this listener speaks plain HTTP."
    case .plainHTTP: "The client sent plain HTTP; this listener speaks TLS."
    case .proxyHeader: "The connection begins with a header of the PROXY protocol; expected a request."
    case .malformedRequestLine:
      "The request line is malformed; expected a method, a target and HTTP/1.1 with one space between them."
    case .requestLineTooLong: "The request line is longer than the limit."
    case .methodTooLong: "The method is longer than the limit of the request line."
    case .invalidTargetByte:
      "The request target contains a control character or a byte that is not ASCII; expected it percent-encoded."
    case .missingVersion:
      "The request line names no version; HTTP/0.9 is not spoken here, expected HTTP/1.1 at its end."
    case .malformedVersion:
      "What follows the target is no version; expected HTTP/1.1 or HTTP/1.0, in capitals, and then CR LF."
    case .unsupportedVersion: "The version is not supported; expected HTTP/1.1 or HTTP/1.0."
    case .malformedStatusLine:
      "The status line is malformed; expected HTTP/1.1, a status of three digits and a reason with one space between."
    case .statusLineTooLong: "The status line is longer than the limit."
    case .invalidStatus: "The status is not one of 100 to 599."
    case .headTooLarge: "The head of the message is larger than the limit."
    case .tooManyFields: "The message has more header fields than the limit."
    default: fieldMessage
    }
  }

  private var fieldMessage: String {
    switch self {
    case .bareLineFeed: "A line ends with LF alone; expected CR LF."
    case .bareCarriageReturn: "A CR is not followed by LF; expected CR LF at the end of every line and nowhere else."
    case .controlByte: "A line contains a control character; expected visible characters, spaces and tabs."
    case .foldedField: "A line begins with whitespace; folded field lines (obs-fold) are not accepted."
    case .whitespaceInFieldName: "There is whitespace in a field name or before its colon; expected Name: value."
    case .invalidFieldName:
      "A field name is empty or contains a byte that is not allowed; expected letters, digits and !#$%&'*+-.^_`|~."
    case .missingColon: "A field line has no colon; expected Name: value."
    case .malformedConnection: "The Connection field is malformed; expected field names with commas between them."
    case .tooManyConnectionOptions: "The Connection field has more options than the limit."
    case .malformedMaxForwards: "Max-Forwards is malformed; expected one number in decimal digits."
    case .unknownExpectation: "Expect has a value other than 100-continue; expected that, once."
    case .malformedContentLength: "Content-Length is malformed; expected one number in decimal digits."
    case .contentLengthTooLarge: "Content-Length is too large for any body."
    case .repeatedContentLength: "There is more than one Content-Length; expected it once."
    case .lengthAndTransferEncoding:
      "The message has both Content-Length and Transfer-Encoding; expected one of them at most."
    case .malformedTransferEncoding: "Transfer-Encoding is malformed; expected exactly chunked."
    case .repeatedTransferEncoding: "There is more than one Transfer-Encoding; expected it once."
    case .transferEncodingNotChunked: "The last transfer coding is not chunked; expected exactly chunked."
    case .unsupportedTransferCoding: "A transfer coding is not supported; expected exactly chunked."
    case .transferEncodingInHTTP10: "An HTTP/1.0 message has Transfer-Encoding; expected Content-Length."
    case .disguisedFraming:
      "A field name is Content-Length or Transfer-Encoding written with an underscore; expected it with a hyphen."
    case .framedConnect: "A CONNECT announces a body, which it has none of; expected neither length nor coding."
    case .framedInterim: "An interim response (1xx) announces a body; expected none."
    case .unaskedUpgrade:
      "It is a 101 (Switching Protocols), although the request asked for no other protocol; expected a final response."
    case .unofferedUpgrade:
      "It is a 101 (Switching Protocols) that does not name the protocol, or one that was not offered; expected Upgrade "
        + "with one of those in the request, and Connection: Upgrade."
    case .interimsTooLarge: "More than 1 MB of interim responses (1xx) came before the final one."
    default: targetMessage
    }
  }

  private var targetMessage: String {
    switch self {
    case .missingHost: "The HTTP/1.1 request has no Host field; expected it once."
    case .repeatedHost: "The request has more than one Host field; expected it once."
    case .emptyHost: "The host is empty; expected a name or an address."
    case .invalidHost:
      "The host is malformed; expected a name of letters, digits, hyphens, underscores and dots, or an IP address."
    case .ambiguousAddress:
      "The host is a number that programs read differently; expected four decimal numbers with dots, or a name."
    case .invalidPort: "The port is malformed; expected a number from 1 to 65535."
    case .missingPort: "The CONNECT target names no port; expected host:port."
    case .invalidConnectTarget: "The CONNECT target is a URL, or has a path; expected host:port alone."
    case .userinfo:
      "The target contains a user name or a password that programs read differently; expected only the host and port."
    case .invalidTarget: "The request target is malformed; expected /path or http://host/path."
    case .asteriskWithoutOptions: "The target * goes with OPTIONS alone."
    case .unsupportedScheme: "The scheme of the target is not supported; expected http or https."
    case .fragment: "The target contains #; a fragment is never sent to a server."
    case .invalidPathByte: "The path contains a byte that is not allowed there; expected it percent-encoded."
    case .invalidPercentEncoding:
      "A % in the path is not followed by two hexadecimal digits, or it encodes a NUL; expected %25 for a percent sign."
    case .malformedChunkSize: "A chunk size is malformed; expected hexadecimal digits and then CR LF."
    case .chunkSizeTooLarge: "A chunk size is too large for any body."
    case .malformedChunkExtension: "A chunk extension is malformed; expected ;name or ;name=value."
    case .chunkExtensionTooLong: "The chunk extensions are larger than the limit."
    case .chunkNotTerminated: "A chunk is longer or shorter than its size says; expected CR LF after it."
    case .trailerTooLarge: "The trailer section is larger than the limit."
    default: "The message ended before its body was complete."
    }
  }
}
