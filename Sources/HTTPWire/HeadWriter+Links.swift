import Bytes

extension HeadWriter {
  /// Writes a line with references, those that lead to the upstream as `links` says.
  mutating func writeLinks(_ line: FieldLine, _ bytes: Span<UInt8>, _ links: LinkMap) {
    part(bytes.extracting(line.name.range))
    part(": ")
    var written = Int(line.value.start)
    var references = LinkReferences(line)
    while let reference = references.next(bytes) {
      guard let replacement = links.replacement(for: reference, bytes) else { continue }
      part(bytes.extracting(written..<Int(reference.start)))
      if replacement.namesOrigin { part(links.origin.span) }
      part(links.mount.span)
      if replacement.needsSlash { part("/") }
      written = Int(replacement.rest.start)
    }
    part(bytes.extracting(written..<Int(line.value.end)))
    part("\r\n")
  }

  private mutating func part(_ bytes: Span<UInt8>) {
    guard hasRoom(bytes.count) else { return }
    output.append(bytes)
  }

  private mutating func part(_ text: StaticString) {
    guard hasRoom(text.utf8CodeUnitCount) else { return }
    output.append(text)
  }
}
