internal import Encodings

/// The JSON of an RFC 9457 problem.
struct ProblemBody {
  private(set) var bytes: [UInt8] = Array("{".utf8)

  init(_ answer: ErrorAnswer, hop: ExchangeError.Hop, route: String?) {
    add("title", answer.title)
    bytes += Array(", \"status\": \(answer.status)".utf8)
    add("hop", hop.rawValue)
    if let route { add("route", route) }
    add("detail", answer.detail)
    add("hint", answer.hint)
    if let error = answer.oauthError {
      add("error", error)
      add("error_description", answer.detail)
    }
    bytes += Array("}\n".utf8)
  }

  private mutating func add(_ name: String, _ value: String) {
    if bytes.count > 1 { bytes += Array(", ".utf8) }
    bytes += Array("\"\(name)\": \"".utf8)
    for byte in value.utf8 { JSONText.escape(byte) { bytes.append($0) } }
    bytes.append(UInt8(ascii: "\""))
  }
}
