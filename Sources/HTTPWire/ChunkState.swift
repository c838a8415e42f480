/// What the next byte of a chunked body is part of (RFC 9112 7.1).
enum ChunkState: UInt8, Sendable {
  /// The first digit of a chunk size.
  case sizeStart
  /// Another digit, or what ends the size.
  case size
  /// Whitespace after the size or an extension, which only `;` may follow.
  case beforeSemicolon
  /// The first byte of an extension's name, or whitespace before it.
  case nameStart
  /// An extension's name.
  case name
  /// Whitespace after an extension's name, which `=` or `;` may follow.
  case afterName
  /// The first byte of an extension's value, or whitespace before it.
  case valueStart
  /// A value that is a token.
  case tokenValue
  /// A value in quotes.
  case quotedValue
  /// The byte after a backslash in quotes.
  case quotedPair
  /// Just after a value in quotes.
  case afterQuotes
  /// The LF that ends the line with the chunk size.
  case sizeLineFeed
  /// Payload.
  case payload
  /// The CR after the payload.
  case payloadReturn
  /// The LF after the payload.
  case payloadLineFeed
  /// The first byte of a line of the trailer section.
  case trailerStart
  /// A trailer field.
  case trailerField
  /// The LF of the empty line that ends the trailer section.
  case trailerLineFeed
}
