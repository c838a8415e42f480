extension BodyDecoder {
  /// A byte of the trailer section. Its lines are kept and read by the rules of a head's.
  mutating func takeTrailer(_ byte: UInt8) throws(WireError) {
    switch state {
    case .trailerStart where byte == cr:
      state = .trailerLineFeed
    case .trailerLineFeed:
      guard byte == lf else { throw .bareCarriageReturn }
      isFinished = true
    default:
      guard trailerBytes.count < limits.trailerBytes else { throw .trailerTooLarge }
      trailerBytes.append(byte)
      state = .trailerField
      if byte == lf { try endTrailerLine() }
    }
  }

  private mutating func endTrailerLine() throws(WireError) {
    let scan = try FieldLine.scan(trailerBytes.span, from: trailerLine, to: trailerBytes.count)
    guard case .field(let line, let next) = scan else { throw .bareLineFeed }
    guard trailers.count + droppedTrailers < limits.trailerFields else { throw .tooManyFields }
    let isDisguised = line.known == .other && FieldName.isDisguisedFraming(trailerBytes.span, line.name)
    if isDisguised || FieldNameSet.notAllowedInTrailers.contains(line.known) {
      droppedTrailers += 1
    } else {
      trailers.append(line)
    }
    trailerLine = next
    state = .trailerStart
  }
}
