public import Bytes

/// How much of a chunked body may be something other than payload.
public struct BodyLimits: Sendable, Equatable {
  /// Bytes of the extensions of one chunk.
  public var extensionLine: Int
  /// How many more bytes than payload the extensions of all chunks may have: an extension on every chunk of a large body is
  /// accepted, many extensions on tiny chunks are not.
  public var extensionOverhead: Int
  /// Bytes of the trailer section.
  public var trailerBytes: Int
  /// The number of trailer fields.
  public var trailerFields: Int

  /// The given limits.
  public init(
    extensionLine: Int = 4_096, extensionOverhead: Int = 16_384, trailerBytes: Int = 8_192, trailerFields: Int = 32
  ) {
    self.extensionLine = extensionLine
    self.extensionOverhead = extensionOverhead
    // The range of a field line's 32-bit offsets.
    self.trailerBytes = min(trailerBytes, 1 << 30)
    self.trailerFields = trailerFields
  }
}

/// Finds the payload in a body as it arrives (RFC 9112 sections 6.3 and 7.1). It copies nothing but trailers.
///
///     while true {
///       let (consumed, event) = try decoder.step(bytes)
///       // pass on the payload; drop `consumed` bytes from the front of `bytes`
///     }
///
/// The outcome depends only on the bytes, not on how they are split into pieces. After an error the decoder cannot be used.
public struct BodyDecoder: Sendable {
  /// The result of a step.
  public enum Event: Sendable, Equatable {
    /// The bytes at these offsets are payload. They are the last consumed bytes.
    case payload(Range<Int>)
    /// All bytes are consumed, and the body continues.
    case needMore
    /// The body is complete; the bytes after the consumed ones are not part of it.
    case finished
  }

  /// How the end of this body is determined.
  public private(set) var framing: BodyFraming
  /// Whether the body is complete.
  public internal(set) var isFinished: Bool
  /// The number of payload bytes so far.
  public internal(set) var payloadBytes: UInt64 = 0
  /// The trailer fields that may be forwarded; offsets into `trailerBytes`.
  public internal(set) var trailers: [FieldLine] = []
  /// The trailer section as received, without the empty line at its end.
  public internal(set) var trailerBytes: [UInt8] = []
  /// The number of trailer fields that `trailers` leaves out because they do not belong in a trailer section (RFC 9110 section
  /// 6.5.1).
  public internal(set) var droppedTrailers = 0

  let limits: BodyLimits
  /// The remaining payload of the body, or of the chunk.
  var remaining: UInt64 = 0
  var state = ChunkState.sizeStart
  /// Digits of the chunk size so far.
  var sizeDigits = 0
  /// Bytes of this chunk's extensions so far.
  var extensionBytes = 0
  /// The number of bytes of extensions minus the number of payload bytes; at least 0.
  var extensionOverhead = 0
  /// Where the current trailer line begins in `trailerBytes`.
  var trailerLine = 0

  /// A decoder for one body.
  public init(_ framing: BodyFraming, limits: BodyLimits = BodyLimits()) {
    self.framing = framing
    self.limits = limits
    isFinished = false
    restart(framing)
  }

  /// Starts another body, like a new decoder; releases memory only if there is any.
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

  /// Consumes bytes from the front of `bytes`; returns how many, and which of them are payload.
  ///
  /// One step consumes payload of at most one chunk. If `bytes` is empty, it returns `needMore`, or `finished` if the body is.
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

  /// Reports that the sender closed its side: this ends a body that is read until then, and cuts off any other.
  public mutating func atEndOfInput() throws(WireError) {
    if framing == .untilClose { isFinished = true }
    guard isFinished else { throw .truncatedBody }
  }
}

extension BodyDecoder {
  /// Appends the payload in `bytes` to `output`, as much as fits, and returns how many bytes were consumed.
  ///
  /// These are fewer than all if the output is full, or if the body is finished. `bytes` must not lie in `output`.
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
