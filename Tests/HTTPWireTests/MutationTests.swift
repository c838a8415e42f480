import Bytes
import Deliveries
import HTTPWire
import SeededRandom
import Testing

/// Messages that are nearly well-formed, from a fixed seed: what must hold for every one of them, accepted or not.
@Suite("Mutated messages") struct MutationTests {
  private static let interesting =
    Array("\r\n\t :;,=0159aAfFxX-_/\\?#%@[].\"*chunked".utf8) + [0x00, 0x0b, 0x7f, 0x80, 0xff]

  private func mutate(_ message: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var message = message
    for _ in 0...random.below(3) {
      let position = random.below(message.count)
      let byte = Self.interesting[random.below(Self.interesting.count)]
      switch random.below(4) {
      case 0: message[position] = byte
      case 1: message.insert(byte, at: position)
      case 2: message.remove(at: position)
      default:
        let end = min(message.count, position + 1 + random.below(12))
        message.insert(contentsOf: message[position..<end], at: random.below(message.count))
      }
    }
    return message
  }

  private func twoPieces(_ message: [UInt8], _ random: inout SplitMix) -> [Int] {
    [random.below(message.count + 1), message.count]
  }

  @Test("a request that is accepted leaves here with one Host, one Authorization and one framing", arguments: 0..<8)
  func requests(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    var accepted = 0
    for _ in 0..<1_500 {
      let original = DeliveryTests.requests[random.below(6)]
      let message = mutate(bytes(original), &random)
      let whole = parseRequest(message, in: [message.count])
      #expect(parseRequest(message, in: twoPieces(message, &random)) == whole, "\(text(message))")
      guard case .complete(let before) = whole else { continue }
      accepted += 1
      let forwarded = try forwardRequest(text(message)).replacing("/base", with: "")
      let after = try request(forwarded)
      let names = after.fields.map { $0.prefix { $0 != "=" }.lowercased() }
      #expect(after.framing == before.framing)
      #expect(after.method == before.method)
      #expect(after.length == forwarded.unicodeScalars.count, "\(forwarded)")
      #expect(names.filter { $0 == "host" }.count == 1)
      #expect(names.filter { $0 == "authorization" }.count == 1)
      #expect(
        names.filter { $0 == "content-length" || $0 == "transfer-encoding" }.count == (after.framing == .none ? 0 : 1))
      #expect(names.allSatisfy { !["connection", "te", "upgrade", "keep-alive", "proxy-connection"].contains($0) })
    }
    #expect(accepted > 100)
  }

  @Test("a response that is accepted leaves here with one framing", arguments: 0..<8)
  func responses(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    var accepted = 0
    for _ in 0..<1_500 {
      let message = mutate(bytes(DeliveryTests.responses[random.below(4)]), &random)
      let whole = parseResponse(message, in: [message.count])
      #expect(parseResponse(message, in: twoPieces(message, &random)) == whole, "\(text(message))")
      guard case .complete(let before) = whole else { continue }
      accepted += 1
      let forwarded = try forwardResponse(text(message))
      let after = try response(forwarded)
      #expect(after.framings == before.framings)
      #expect(after.length == forwarded.unicodeScalars.count)
      #expect(after.status == before.status)
      #expect(after.reason.trimmed == before.reason.trimmed)
    }
    #expect(accepted > 100)
  }

  @Test("a chunked body that is accepted gathers to the same payload, and ends in the same place", arguments: 0..<8)
  func bodies(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    var accepted = 0
    for _ in 0..<1_500 {
      let message = mutate(bytes(DeliveryTests.bodies[random.below(2)]), &random)
      let whole = decode(message, as: .chunked, at: [message.count])
      #expect(decode(message, as: .chunked, at: twoPieces(message, &random)) == whole, "\(text(message))")
      guard case .complete(let summary) = whole, summary.isFinished else { continue }
      accepted += 1
      let output = ByteBuffer(capacity: 1000)
      var decoder = BodyDecoder(.chunked)
      #expect(try decoder.gather(message.span, into: output) == summary.consumed)
      #expect(text(of: output) == summary.payload)
    }
    #expect(accepted > 50)
  }

  @Test("a target that is accepted is made of its parts", arguments: 0..<8)
  func targets(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    var accepted = 0
    for _ in 0..<1_500 {
      let originals = ["http://a.example:80/b%20c/d?e=f", "https://[2001:db8::1]:443/", "/a/b?c", "http://10.0.0.1/x"]
      let message = mutate(bytes(originals[random.below(4)]), &random)
      guard case .complete(let target) = parseTarget(text(message)) else { continue }
      accepted += 1
      #expect(text(message).hasSuffix(target.pathAndQuery))
      #expect(target.path + (target.query.map { "?" + $0 } ?? "") == target.pathAndQuery)
      #expect(!target.pathAndQuery.contains("#"))
      #expect(target.form != .absolute || !target.host.isEmpty)
      #expect(!target.host.contains("@") && !target.host.contains("/") && !target.host.contains("%"))
    }
    #expect(accepted > 100)
  }
}
