import Deliveries
import HTTPWire

/// A field by value.
struct ReadField: Equatable {
  let name: String
  let value: String

  init(_ line: FieldLine, _ bytes: [UInt8]) {
    name = text(bytes[line.name.range])
    value = text(bytes[line.value.range])
  }

  /// The name as fields are compared.
  var key: String { name.lowercased() }

  /// Whether both are the same field; a length may have lost the zeros in front of it.
  func means(_ other: ReadField) -> Bool {
    if self == other { return true }
    guard name == other.name, key == "content-length" else { return false }
    return UInt64(value) == UInt64(other.value)
  }
}

/// Names that mean something on one connection alone, but for those that are written again.
let connectionNames: Set<String> = ["keep-alive", "te", "upgrade", "proxy-connection", "http2-settings"]

/// Checks the fields of a message that is sent on: nothing that means something on one connection only, one framing at
/// most, and beside `added` names only what was received, in its order.
func checkForwarded(_ after: [ReadField], of before: [ReadField], added: Set<String>) throws(Violation) {
  let names = after.map(\.key)
  for name in connectionNames { try require(!names.contains(name), "\(name) was forwarded") }
  try require(!names.contains { $0.hasPrefix("proxy-auth") }, "Proxy-Authorization or the like was forwarded")
  let framings = names.count { $0 == "content-length" || $0 == "transfer-encoding" }
  try require(framings <= 1, "\(framings) framings were forwarded")
  var rest = before[...]
  for field in after where !added.contains(field.key) {
    guard let found = rest.firstIndex(where: { $0.means(field) }) else {
      throw Violation(description: "\(field) was not received, or in another place")
    }
    rest = rest[(found + 1)...]
  }
}

/// A head means the same however it arrives. Returns it, if it is complete under the usual limits.
func checkDeliveries<Head: Equatable>(
  of input: [UInt8], _ read: (_ looks: [Int], _ limits: HeadLimits) -> Outcome<Head>
) throws(Violation) -> Head? {
  for limits in [HeadLimits(bytes: 300, requestLine: 100, fields: 6), HeadLimits()] {
    let whole = read([input.count], limits)
    for way in someDeliveries(of: input) {
      let inPieces = read(way, limits)
      try require(inPieces == whole, "in pieces \(way): \(inPieces), whole: \(whole)")
    }
  }
  guard case .complete(let head) = read([input.count], HeadLimits()) else { return nil }
  return head
}

/// The limits under which what was sent on is read again.
let generousLimits = HeadLimits(bytes: 131_072, requestLine: 65_536, fields: 200)
