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
