import Bytes
import HTTPWire
import Reactor

@testable import ProxyCore

/// One message moved from a connection to another, in pieces and through windows of every size.
struct RelayScript {
  /// The message as it is received: its content, framed, and what follows it.
  var received: String
  var framing: BodyFraming
  /// How the content is sent on.
  var outgoing: BodyFraming
  /// What is in front of the content.
  var head = "HEAD"
  var passesTrailers = true
  /// How many bytes arrive at a time.
  var piece = Int.max
  /// How many bytes the sink takes before it blocks.
  var window = Int.max
  var capacity = 256
  var isEnded = false
  /// Whether memory is short, so that each wait begins with as little as possible.
  var economizes = false

  struct Outcome: Equatable {
    var sent: String
    var rest: String
    var payloadBytes: UInt64
  }

  /// Runs to the end of the message.
  func run() throws(BodyRelay.Failure) -> Outcome {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    let bytes = Array(received.utf8)
    source.pieces = stride(from: 0, to: bytes.count, by: min(piece, max(1, bytes.count))).map {
      Array(bytes[$0..<min(bytes.count, $0 + min(piece, bytes.count))])
    }
    source.isEnded = isEnded
    let (input, output) = (ByteBuffer(capacity: capacity), ByteBuffer(capacity: capacity))
    output.append(head)
    let relay = BodyRelay(
      BodyDecoder(framing), input: input, output: output, framing: outgoing, passesTrailers: passesTrailers)
    source.signal(.readable)
    sink.window = window
    var idleSteps = 0
    while !relay.isFinished {
      let progress = try relay.step(from: source, to: sink)
      if economizes { relay.economize() }
      if !sink.isWritable {
        sink.window = window
        sink.signal(.writable)
      }
      idleSteps = progress.hasMoved ? 0 : idleSteps + 1
      precondition(idleSteps < 3, "the relay stands still")
    }
    // What was not needed any more: in the buffer, or not even received.
    let unread = relay.input
    let rest = (0..<unread.count).map { unread.readableBytes[$0] } + source.pieces.flatMap(\.self)
    precondition(relay.bytesSent == UInt64(sink.sent.count), "what was sent is counted")
    return Outcome(
      sent: String(decoding: sink.sent, as: UTF8.self), rest: String(decoding: rest, as: UTF8.self),
      payloadBytes: relay.decoder.payloadBytes)
  }
}

/// The content of chunks, read by the plainest code there is; nil where they are not well-formed and complete.
func contentOfChunks(_ text: String) -> (content: String, chunks: Int, trailers: String)? {
  var rest = Substring(text)
  var content = ""
  var chunks = 0
  while true {
    let parts = rest.split(separator: "\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let size = Int(parts[0], radix: 16) else { return nil }
    rest = parts[1]
    if size == 0 { break }
    guard rest.utf8.count >= size + 2 else { return nil }
    content += String(decoding: rest.utf8.prefix(size), as: UTF8.self)
    let after = String(decoding: rest.utf8.dropFirst(size), as: UTF8.self)
    guard after.hasPrefix("\r\n") else { return nil }
    rest = Substring(String(decoding: after.utf8.dropFirst(2), as: UTF8.self))
    chunks += 1
  }
  guard rest == "\r\n" || rest.utf8.suffix(4).elementsEqual("\r\n\r\n".utf8) else { return nil }
  return (content, chunks, String(rest))
}
