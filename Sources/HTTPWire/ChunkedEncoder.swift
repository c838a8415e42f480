public import Bytes

/// Writes payload as chunks (RFC 9112 section 7.1).
public enum ChunkedEncoder {
  /// Bytes that a chunk may need besides its payload: 16 digits and two line ends.
  public static let maximumOverhead = 20

  /// Appends as much of `payload` as fits, as one chunk, and returns how much that was.
  ///
  /// Nothing is written for an empty payload: a chunk of size 0 would end the body.
  public static func append(_ payload: Span<UInt8>, to output: ByteBuffer) -> Int {
    let count = min(payload.count, output.freeSpace - maximumOverhead)
    guard count > 0 else { return 0 }
    output.append(hexadecimal: UInt64(count))
    output.append("\r\n" as StaticString)
    output.append(payload.extracting(0..<count))
    output.append("\r\n" as StaticString)
    return count
  }

  /// Appends the payload that `decoder` finds in `bytes` as one chunk, as much as fits.
  ///
  /// This turns thousands of tiny chunks into a few large ones. Returns how many bytes of `bytes` were consumed: fewer than all
  /// if the output is full, none if it has no room for a chunk, and only those up to the end of the body when it is finished.
  /// ``finish(to:)`` ends the body. `bytes` must not lie in `output`.
  public static func append(
    from decoder: inout BodyDecoder, _ bytes: Span<UInt8>, to output: ByteBuffer
  ) throws(WireError) -> Int {
    // The number of digits must be known before the payload is: the payload cannot be longer than this.
    let room = min(bytes.count, output.freeSpace - maximumOverhead)
    guard room > 0 else { return 0 }
    let sizeAt = output.end
    let digits = (UInt64.bitWidth - UInt64(room).leadingZeroBitCount + 3) / 4
    output.appendZeros(digits)
    output.append("\r\n" as StaticString)
    let payloadAt = output.end
    // `room` bytes contain at most `room` bytes of payload.
    let consumed: Int
    do throws(WireError) {
      consumed = try decoder.gather(bytes.extracting(0..<room), into: output)
    } catch {
      output.truncate(to: sizeAt)
      throw error
    }
    let count = output.end - payloadAt
    guard count > 0 else {
      output.truncate(to: sizeAt)
      return consumed
    }
    output.overwrite(hexadecimal: UInt64(count), digits: digits, at: sizeAt)
    output.append("\r\n" as StaticString)
    return consumed
  }

  /// Ends the body, without trailers. False if there is no room.
  public static func finish(to output: ByteBuffer) -> Bool {
    guard output.freeSpace >= 5 else { return false }
    output.append("0\r\n\r\n" as StaticString)
    return true
  }

  /// Ends the body with the trailers of `decoder` that may be forwarded. False if there is no room.
  ///
  /// If the head's ``RequestHead/hasConnectionOptions`` is set, use ``finish(to:)``: Connection may name one of the trailers
  /// (RFC 9110 section 7.6.1), and dropping trailers is always allowed.
  public static func finish(trailersOf decoder: BodyDecoder, to output: ByteBuffer) -> Bool {
    // A written trailer is at most one byte longer than it was received: the space after the colon.
    guard output.freeSpace >= 5 + decoder.trailerBytes.count + decoder.trailers.count else { return false }
    output.append("0\r\n" as StaticString)
    let bytes = decoder.trailerBytes.span
    for line in decoder.trailers {
      output.append(bytes.extracting(line.name.range))
      output.append(": " as StaticString)
      output.append(bytes.extracting(line.value.range))
      output.append("\r\n" as StaticString)
    }
    output.append("\r\n" as StaticString)
    return true
  }
}
