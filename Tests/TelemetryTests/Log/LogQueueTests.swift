import Bytes
import Testing

@testable import Telemetry

@Suite("Log queue") struct LogQueueTests {
  let queue = LogQueue(limit: 10)

  func append(_ text: String) { queue.append(Array(text.utf8).span) }

  func taken() -> String {
    var text = ""
    for block in queue.take() ?? [] {
      let bytes = block.readableBytes
      text += String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
    return text
  }

  @Test("of a batch that does not fit, the first whole lines are taken")
  func cut() {
    append("abc\ndef\nghi\njkl\n")
    #expect(taken() == "abc\ndef\n")
    #expect(queue.droppedLines == 2)
  }

  @Test("a line that fits exactly is taken, one byte more is not")
  func exact() {
    append("12345678\n\n")
    append("\n")
    #expect(queue.droppedLines == 1)
    #expect(taken() == "12345678\n\n")
  }

  @Test("a line that is larger than everything that may wait is dropped")
  func large() {
    append("1234567890\n")
    #expect(queue.droppedLines == 1)
    append("ok\n")
    #expect(taken() == "ok\n")
  }

  @Test("what the writer holds counts as waiting until it is written")
  func held() {
    append("abcdefg\n")
    #expect(taken() == "abcdefg\n")
    append("abc\n")
    #expect(queue.droppedLines == 1)
    #expect(queue.wrote(bytes: 8, lines: 1))
    append("abc\n")
    #expect(queue.droppedLines == 1)
    #expect(taken() == "abc\n")
  }

  @Test("lines that lie across blocks come out as they went in")
  func blocks() {
    let queue = LogQueue(limit: 1_000_000)
    let line = String(repeating: "x", count: 999) + "\n"
    for _ in 0..<200 { queue.append(Array(line.utf8).span) }
    let blocks = queue.take() ?? []
    #expect(blocks.count == 4)
    #expect(blocks.map(\.count).reduce(0, +) == 200_000)
    #expect(blocks.map { $0.readableBytes.lineCount }.reduce(0, +) == 200)
  }

  @Test("a closed queue gives out what waits, and then nothing")
  func closed() {
    append("abc\n")
    queue.close()
    append("def\n")
    #expect(taken() == "abc\n")
    #expect(queue.take() == nil)
    #expect(queue.droppedLines == 1)
  }

  @Test("when the writer ends early, what waits and what it held counts as dropped, once")
  func ended() {
    append("abc\n")
    _ = queue.take()
    append("def\n")
    queue.end()
    #expect(queue.droppedLines == 2)
    #expect(!queue.wrote(bytes: 4, lines: 1))
    #expect(queue.droppedLines == 2)
    append("ghi\n")
    #expect(queue.droppedLines == 3)
    #expect(queue.take() == nil)
  }

  @Test("waiting for the end drops what was not written in time")
  func late() {
    append("abc\n")
    #expect(!queue.waitForEnd(milliseconds: 0))
    #expect(queue.droppedLines == 1)
    #expect(!queue.wrote(bytes: 4, lines: 1))
  }
}
