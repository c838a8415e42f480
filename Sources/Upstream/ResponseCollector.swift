/// Gathers what libcurl hands over of an answer, within bounds.
final class ResponseCollector {
  /// Whether there was more than is kept.
  private(set) var isCut = false

  private let limit: Int
  private var body: [UInt8] = []
  private var fields: [(name: String, value: String)] = []
  private var fieldBytes = 0

  private static let fieldLimit = 64 * 1024

  init(limit: Int) {
    self.limit = limit
  }

  /// Takes a piece of the content; anything but its size tells libcurl to stop.
  func add(body piece: UnsafeRawBufferPointer) -> Int {
    let room = limit - body.count
    unsafe body.append(contentsOf: piece.prefix(room))
    guard piece.count <= room else {
      isCut = true
      return 0
    }
    return piece.count
  }

  /// Takes a line of the head.
  func add(line: UnsafeRawBufferPointer) -> Int {
    fieldBytes += line.count
    guard fieldBytes <= Self.fieldLimit else { return 0 }
    let text = unsafe String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      // The head of an interim answer came before: only the last one counts.
      fields.removeAll()
    } else if let colon = text.firstIndex(of: ":") {
      let value = text[text.index(after: colon)...]
      fields.append((text[..<colon].lowercased(), Self.trimmed(value)))
    }
    return line.count
  }

  func response(status: Int) -> ClientResponse {
    ClientResponse(status: status, fields: fields, body: body, isCut: isCut)
  }

  private static func trimmed(_ value: Substring) -> String {
    var value = value
    while let first = value.first, first.isWhitespace { value.removeFirst() }
    while let last = value.last, last.isWhitespace { value.removeLast() }
    return String(value)
  }
}
