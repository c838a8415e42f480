import Deliveries
import HTTPWire
import Testing

@Suite("Requests that are refused") struct RequestRefusalTests {
  @Test(
    "request lines",
    arguments: [
      ("\u{16}\u{03}\u{01}\u{02}\u{00}", WireError.tlsHandshake),
      (" GET / HTTP/1.1\r\n", .malformedRequestLine), ("\tGET / HTTP/1.1\r\n", .malformedRequestLine),
      ("GET  / HTTP/1.1\r\n", .malformedRequestLine), ("GET\t/ HTTP/1.1\r\n", .malformedRequestLine),
      ("GET /  HTTP/1.1\r\n", .malformedVersion), ("GET / HTTP/1.1 \r\n", .malformedRequestLine),
      ("GET / HTTP/1.1\t\r\n", .malformedRequestLine), ("GET /a b HTTP/1.1\r\n", .malformedVersion),
      ("GET /\tHTTP/1.1\r\n", .invalidTargetByte), ("GET /\u{0b}HTTP/1.1\r\n", .invalidTargetByte),
      ("GET /\u{00} HTTP/1.1\r\n", .invalidTargetByte), ("GET /\u{7f} HTTP/1.1\r\n", .invalidTargetByte),
      ("GET /\u{e9} HTTP/1.1\r\n", .invalidTargetByte), ("GET /\r HTTP/1.1\r\n", .missingVersion),
      ("G@T / HTTP/1.1\r\n", .malformedRequestLine), ("G\u{e9}T / HTTP/1.1\r\n", .malformedRequestLine),
      ("GET: / HTTP/1.1\r\n", .malformedRequestLine), ("GET\u{00} / HTTP/1.1\r\n", .malformedRequestLine),
      ("GET\r\n", .malformedRequestLine), ("GET \r\n", .malformedRequestLine), ("GET /\r\n", .missingVersion),
      ("GET / \r\n", .malformedVersion), ("\n", .bareLineFeed), ("\nGET / HTTP/1.1\r\n", .bareLineFeed),
      ("GET / HTTP/1.1\n", .bareLineFeed), ("GET /\n", .bareLineFeed), ("GET\n", .bareLineFeed),
      ("GET / HTTP/1.1\rX", .bareCarriageReturn), ("\rGET / HTTP/1.1\r\n", .bareCarriageReturn),
      ("\r\r\n", .bareCarriageReturn), ("\r\n\r\n\r\nGET / HTTP/1.1\r\n", .malformedRequestLine),
      ("GET / http/1.1\r\n", .malformedVersion), ("GET / HTTP /1.1\r\n", .malformedVersion),
      ("GET / HTTP/1\r\n", .malformedVersion), ("GET / HTTP/11\r\n", .malformedVersion),
      ("GET / HTTP/1.\r\n", .malformedVersion), ("GET / HTTP/1.x\r\n", .malformedVersion),
      ("GET / HTTP/x.1\r\n", .malformedVersion), ("GET / HTTP/1.10\r\n", .malformedVersion),
      ("GET / HTTP/+1.1\r\n", .malformedVersion), ("GET / HTTP/1,1\r\n", .malformedVersion),
      ("GET / HTTPS/1.1\r\n", .malformedVersion), ("GET / XTTP/1.1\r\n", .malformedVersion),
      ("GET / HTTP/0.9\r\n", .unsupportedVersion), ("GET / HTTP/2.0\r\n", .unsupportedVersion),
      ("GET / HTTP/3.0\r\n", .unsupportedVersion), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
    ] as [(String, WireError)])
  func requestLine(message: String, error: WireError) {
    #expect(parseRequest(message) == .refused(error))
  }

  @Test(
    "field lines",
    arguments: [
      (" X: 1\r\n", WireError.foldedField), ("\tX: 1\r\n", .foldedField), ("X: 1\r\n 2\r\n", .foldedField),
      ("X: 1\r\n\t2\r\n", .foldedField), (" \r\n", .foldedField), ("X : 1\r\n", .whitespaceInFieldName),
      ("X\t: 1\r\n", .whitespaceInFieldName), ("X Y: 1\r\n", .whitespaceInFieldName), (": 1\r\n", .invalidFieldName),
      ("X\u{00}: 1\r\n", .invalidFieldName), ("X\u{0b}: 1\r\n", .invalidFieldName),
      ("X\u{7f}: 1\r\n", .invalidFieldName),
      ("X\u{e9}: 1\r\n", .invalidFieldName), ("X(: 1\r\n", .invalidFieldName), ("X\": 1\r\n", .invalidFieldName),
      ("X/: 1\r\n", .invalidFieldName), ("X@: 1\r\n", .invalidFieldName), ("X[: 1\r\n", .invalidFieldName),
      ("X{: 1\r\n", .invalidFieldName), ("X=: 1\r\n", .invalidFieldName), ("X,: 1\r\n", .invalidFieldName),
      ("\u{00}\r\n", .invalidFieldName), ("\u{ef}\u{bb}\u{bf}X: 1\r\n", .invalidFieldName),
      ("X\r\n", .missingColon), ("X\n", .bareLineFeed), ("\n", .bareLineFeed), ("X: 1\n", .bareLineFeed),
      ("X: 1\n\r\n", .bareLineFeed), ("X: 1\rY: 2\r\n", .bareCarriageReturn), ("X: 1\r\r\n", .bareCarriageReturn),
      ("X:\r1\r\n", .bareCarriageReturn), ("X\r: 1\r\n", .bareCarriageReturn), ("\rX: 1\r\n", .bareCarriageReturn),
      ("X: \u{00}\r\n", .controlByte), ("X: a\u{00}b\r\n", .controlByte), ("X: a\u{01}b\r\n", .controlByte),
      ("X: a\u{08}b\r\n", .controlByte), ("X: a\u{0b}b\r\n", .controlByte), ("X: a\u{0c}b\r\n", .controlByte),
      ("X: a\u{1b}b\r\n", .controlByte), ("X: a\u{1f}b\r\n", .controlByte), ("X: a\u{7f}b\r\n", .controlByte),
    ] as [(String, WireError)])
  func fieldLine(lines: String, error: WireError) {
    #expect(parseRequest("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n") == .refused(error))
    // The same right after the request line.
    #expect(parseRequest("GET / HTTP/1.1\r\n\(lines)\r\n") == .refused(error))
  }

  @Test("a control character in any place of a value is found")
  func controls() {
    for control in Array(0..<32) + [127] where control != 9 {
      for length in 1..<26 {
        for position in 0..<length {
          var value = [UInt8](repeating: 0xff, count: length)
          value[position] = UInt8(control)
          if position > 0 { value[position - 1] = 0x09 }
          let outcome = parseRequest("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(value))\r\n\r\n")
          let expected: WireError = control == 10 ? .bareLineFeed : control == 13 ? .bareCarriageReturn : .controlByte
          #expect(outcome == .refused(expected), "\(control) at \(position) of \(length)")
        }
      }
    }
  }

  @Test(
    "Content-Length",
    arguments: [
      ("", WireError.malformedContentLength), ("+5", .malformedContentLength), ("-5", .malformedContentLength),
      ("-0", .malformedContentLength), ("5, 5", .malformedContentLength), ("5,5", .malformedContentLength),
      ("5,", .malformedContentLength), (",5", .malformedContentLength), ("5 5", .malformedContentLength),
      ("5\t5", .malformedContentLength), ("0x5", .malformedContentLength), ("5a", .malformedContentLength),
      ("5.0", .malformedContentLength), ("5e1", .malformedContentLength), ("\"5\"", .malformedContentLength),
      ("5;a=b", .malformedContentLength), ("1_000", .malformedContentLength), ("\u{b2}", .malformedContentLength),
      ("five", .malformedContentLength), ("99999999999999999999x", .malformedContentLength),
      ("9223372036854775808", .contentLengthTooLarge), ("18446744073709551615", .contentLengthTooLarge),
      ("18446744073709551616", .contentLengthTooLarge), ("18446744073709551621", .contentLengthTooLarge),
      ("36893488147419103237", .contentLengthTooLarge),
      ("340282366920938463463374607431768211461", .contentLengthTooLarge),
      ("1" + String(repeating: "0", count: 300), .contentLengthTooLarge),
      ("5\r\nContent-Length: 5", .repeatedContentLength), ("5\r\nContent-Length: 6", .repeatedContentLength),
      ("5\r\nX: y\r\ncontent-length: 5", .repeatedContentLength),
      ("5\r\nTransfer-Encoding: chunked", .lengthAndTransferEncoding),
      ("0\r\nTransfer-Encoding: chunked", .lengthAndTransferEncoding),
    ] as [(String, WireError)])
  func contentLength(value: String, error: WireError) {
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(value)\r\n\r\n") == .refused(error))
  }

  @Test(
    "Transfer-Encoding",
    arguments: [
      ("", WireError.malformedTransferEncoding), (",", .malformedTransferEncoding),
      ("chunked,", .malformedTransferEncoding), (",chunked", .malformedTransferEncoding),
      (", chunked", .malformedTransferEncoding), ("chunked, chunked", .malformedTransferEncoding),
      ("gzip,, chunked", .malformedTransferEncoding), ("\"chunked\"", .malformedTransferEncoding),
      ("chunked\u{e9}", .malformedTransferEncoding), ("(chunked)", .malformedTransferEncoding),
      ("=chunked", .malformedTransferEncoding), ("[chunked]", .malformedTransferEncoding),
      ("identity", .transferEncodingNotChunked), ("gzip", .transferEncodingNotChunked),
      ("xchunked", .transferEncodingNotChunked), ("chunkedx", .transferEncodingNotChunked),
      ("chunked x", .transferEncodingNotChunked), ("chunked;a=b", .transferEncodingNotChunked),
      ("chunked ;a=b", .transferEncodingNotChunked), ("chunked, identity", .transferEncodingNotChunked),
      ("chunked, gzip", .transferEncodingNotChunked), ("'chunked'", .transferEncodingNotChunked),
      ("gzip, chunked", .unsupportedTransferCoding), ("GZIP;q=1,chunked", .unsupportedTransferCoding),
      ("identity, chunked", .unsupportedTransferCoding), ("x\tchunked, chunked", .unsupportedTransferCoding),
      ("chunked\r\nTransfer-Encoding: chunked", .repeatedTransferEncoding),
      ("chunked\r\nTransfer-Encoding: identity", .repeatedTransferEncoding),
      ("chunked\r\nContent-Length: 5", .lengthAndTransferEncoding),
      ("chunked\r\nX: y\r\nContent-Length: 0", .lengthAndTransferEncoding),
      ("\u{0b}chunked", .controlByte), ("chunked\u{00}", .controlByte), ("\r\n chunked", .malformedTransferEncoding),
    ] as [(String, WireError)])
  func transferEncoding(value: String, error: WireError) {
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \(value)\r\n\r\n") == .refused(error))
  }

  @Test("Transfer-Encoding in HTTP/1.0")
  func transferEncodingInHTTP10() {
    let message = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(parseRequest(message) == .refused(.transferEncodingInHTTP10))
  }

  @Test(
    "framing fields in disguise",
    arguments: [
      "Transfer_Encoding: chunked", "transfer_encoding: identity", "Content_Length: 5", "CONTENT_LENGTH: 5",
    ])
  func disguised(line: String) {
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n") == .refused(.disguisedFraming))
  }

  @Test(
    "Host",
    arguments: [
      ("", WireError.missingHost), ("Host:\r\n", .emptyHost), ("Host: \r\n", .emptyHost), ("Host: :80\r\n", .emptyHost),
      ("Host: a\r\nHost: a\r\n", .repeatedHost), ("Host: a\r\nhost: b\r\n", .repeatedHost),
      ("Host: a, b\r\n", .invalidHost), ("Host: a b\r\n", .invalidHost), ("Host: a/b\r\n", .invalidHost),
      ("Host: http://a\r\n", .invalidPort), ("Host: u@a\r\n", .userinfo), ("Host: u:p@a\r\n", .userinfo),
      ("Host: a:b\r\n", .invalidPort), ("Host: a:80:80\r\n", .invalidPort), ("Host: a#\r\n", .invalidHost),
      ("Host: a%2eb\r\n", .invalidHost), ("Host: \u{e9}\r\n", .invalidHost), ("Host: 127.1\r\n", .ambiguousAddress),
    ] as [(String, WireError)])
  func host(lines: String, error: WireError) {
    #expect(parseRequest("GET / HTTP/1.1\r\n\(lines)\r\n") == .refused(error))
    // An absolute target makes no exception.
    #expect(parseRequest("GET http://a/ HTTP/1.1\r\n\(lines)\r\n") == .refused(error))
  }

  @Test(
    "Connection",
    arguments: [
      ("a b", WireError.malformedConnection), ("close;q=1", .malformedConnection), ("\"close\"", .malformedConnection),
      ("close, \u{e9}", .malformedConnection), ("a/b", .malformedConnection),
      (String(repeating: ",", count: 64), .tooManyConnectionOptions),
      ("a" + String(repeating: ",a", count: 64), .tooManyConnectionOptions),
    ] as [(String, WireError)])
  func connection(value: String, error: WireError) {
    #expect(parseRequest("GET / HTTP/1.1\r\nHost: a\r\nConnection: \(value)\r\n\r\n") == .refused(error))
  }

  @Test("what is incomplete is neither complete nor refused")
  func incomplete() {
    let message = bytes("\r\nPOST /a HTTP/1.1\r\nHost: a\r\nX:  b \r\nContent-Length: 5\r\n\r\n")
    for length in 0..<message.count {
      #expect(parseRequest(Array(message[..<length]), in: [length]) == .incomplete)
    }
  }
}
