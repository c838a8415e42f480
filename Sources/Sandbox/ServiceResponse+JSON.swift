internal import FoundationEssentials
internal import HTTPService

extension ServiceResponse {
  /// A response with `value` as JSON.
  static func json(_ status: Int, _ value: some Encodable, fields: [ServiceField] = []) -> ServiceResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let body = Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
      return ServiceResponse(status: status, type: "application/json", fields: fields, body: body)
    } catch {
      return .text(500, "The answer could not be encoded: \(error)")
    }
  }

  /// A response with `error` and `error_description`, as OAuth has them.
  static func error(
    _ status: Int, _ code: String, _ description: String, fields: [ServiceField] = []
  ) -> ServiceResponse {
    struct Content: Encodable {
      let error: String
      let description: String

      enum CodingKeys: String, CodingKey {
        case error
        case description = "error_description"
      }
    }
    return .json(status, Content(error: code, description: description), fields: fields)
  }
}
