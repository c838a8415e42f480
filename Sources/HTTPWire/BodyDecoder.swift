public import Bytes

/// How much of a chunked body may be something other than payload.
public struct BodyLimits: Sendable, Equatable {
  /// Bytes of the extensions of one chunk.
  public var extensionLine: Int
  /// How many bytes of extensions all chunks may have beyond their payload: extensions on every chunk of a large body
  /// pass, many extensions on tiny chunks do not.
  public var extensionOverhead: Int
  /// Bytes of the trailer section.
  public var trailerBytes: Int
  /// The number of trailer fields.
  public var trailerFields: Int

  /// The limits given.
  public init(
    extensionLine: Int = 4_096, extensionOverhead: Int = 16_384, trailerBytes: Int = 8_192, trailerFields: Int = 32
  ) {
    self.extensionLine = extensionLine
    self.extensionOverhead = extensionOverhead
    // What the 32-bit offsets of a field line can express.
    self.trailerBytes = min(trailerBytes, 1 << 30)
    self.trailerFields = trailerFields
  }
}

/// Finds the payload in a body as it arrives (RFC 9112 6.3 and 7.1). It copies nothing but trailers.
///
///     while true {
///       let (consumed, event) = try decoder.step(bytes)
///       // pass on the payload; drop `consumed` bytes from the front of `bytes`
///     }
///
/// The outcome depends on the bytes alone, not on the pieces they arrive in. After an error the decoder cannot be used.
public struct BodyDecoder: Sendable {
  /// What a step came upon.
  public enum Event: Sendable, Equatable {
    /// The bytes at these offsets are payload. They are the last ones of those consumed.
    case payload(Range<Int>)
    /// All bytes are consumed, and the body goes on.
    case needMore
    /// The body is complete; the bytes after those consumed belong to something else.
    case finished
  }

  /// How the end of this body is found.
  public private(set) var framing: BodyFraming
  /// Whether the body is complete.
  public internal(set) var isFinished: Bool
  /// Bytes of payload so far.
  public internal(set) var payloadBytes: UInt64 = 0
  /// The trailer fields that may be forwarded; offsets into `trailerBytes`.
  public internal(set) var trailers: [FieldLine] = []
  /// The trailer section as it was received, without its last empty line.
  public internal(set) var trailerBytes: [UInt8] = []
  /// Trailer fields that were left out of `trailers`, since they have no business there (RFC 9110 6.5.1).
  public internal(set) var droppedTrailers = 0

  let limits: BodyLimits
  /// Payload that is still to come: of the body, or of the chunk.
  var remaining: UInt64 = 0
  var state = ChunkState.sizeStart
  /// Digits of the chunk size so far.
  var sizeDigits = 0
  /// Bytes of this chunk's extensions so far.
  var extensionBytes = 0
  /// Bytes of extensions less bytes of payload, at least 0.
  var extensionOverhead = 0
  /// Where the trailer line that is being received begins in `trailerBytes`.
  var trailerLine = 0

  /// A decoder for one body.
  public init(_ framing: BodyFraming, limits: BodyLimits = BodyLimits()) {
    self.framing = framing
    self.limits = limits
    isFinished = false
    restart(framing)
  }

  /// Begins another body, as a new decoder would; releases costly state only if there is any.
  public mutating func restart(_ framing: BodyFraming) {
    guard trailers.isEmpty, trailerBytes.isEmpty else {
      self = BodyDecoder(framing, limits: limits)
      return
    }
    self.framing = framing
    payloadBytes = 0
    droppedTrailers = 0
    remaining = 0
    state = .sizeStart
    sizeDigits = 0
    extensionBytes = 0
    extensionOverhead = 0
    trailerLine = 0
    switch framing {
    case .none: isFinished = true
    case .length(let length):
      remaining = length
      isFinished = length == 0
    case .chunked, .untilClose: isFinished = false
    }
  }

  /// Takes bytes from the front of `bytes`: says how many, and which of them are payload.
  ///
  /// One step consumes payload of one chunk at most. An empty `bytes` gives `needMore`, or `finished` if it is.
  public mutating func step(_ bytes: Span<UInt8>) throws(WireError) -> (consumed: Int, event: Event) {
    if isFinished { return (0, .finished) }
    switch framing {
    case .none: return (0, .finished)
    case .length:
      let count = Int(min(UInt64(bytes.count), remaining))
      guard count > 0 else { return (0, .needMore) }
      remaining -= UInt64(count)
      payloadBytes += UInt64(count)
      isFinished = remaining == 0
      return (count, .payload(0..<count))
    case .untilClose:
      guard bytes.count > 0 else { return (0, .needMore) }
      payloadBytes += UInt64(bytes.count)
      return (bytes.count, .payload(0..<bytes.count))
    case .chunked: return try stepChunked(bytes)
    }
  }

  /// Says that the sender closed its side: that ends a body that is read until then, and cuts off every other one.
  public mutating func atEndOfInput() throws(WireError) {
    if framing == .untilClose { isFinished = true }
    guard isFinished else { throw .truncatedBody }
  }
}

extension BodyDecoder {
  /// Appends the payload in `bytes` to `output` as it is, all there is room for, and says how many bytes were consumed.
  ///
  /// Less than all of them when the output is full, or when the body is finished. `bytes` must not lie in `output`.
  public mutating func gather(_ bytes: Span<UInt8>, into output: ByteBuffer) throws(WireError) -> Int {
    let available = min(bytes.count, output.freeSpace)
    var position = 0
    while true {
      let rest = bytes.extracting(position..<available)
      let (consumed, event) = try step(rest)
      position += consumed
      guard case .payload(let range) = event else { return position }
      output.append(rest.extracting(range))
    }
  }
}
