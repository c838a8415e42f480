import Bytes
import Testing

@testable import Telemetry

@Suite("Log queue") struct LogQueueTests {
  let queue = LogQueue(limit: 10)

  func append(_ text: String) { queue.append(Array(text.utf8).span) }

  /// How many lines have been lost.
  var lost: UInt64 { queue.lost.values.reduce(0, +) }

  func taken() -> String {
    var text = ""
    for block in queue.take(by: 0, .never)?.blocks ?? [] {
      let bytes = block.readableBytes
      text += String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
    return text
  }

  @Test("of a batch that does not fit, the first whole lines are taken")
  func cut() {
    append("abc\ndef\nghi\njkl\n")
    #expect(taken() == "abc\ndef\n")
    #expect(lost == 2)
  }

  @Test("a line that fits exactly is taken, one byte more is not")
  func exact() {
    append("12345678\n\n")
    append("\n")
    #expect(lost == 1)
    #expect(taken() == "12345678\n\n")
  }

  @Test("a line that is larger than everything that may wait is dropped")
  func large() {
    append("1234567890\n")
    #expect(lost == 1)
    append("ok\n")
    #expect(taken() == "ok\n")
  }

  @Test("what the writer holds counts as waiting until it is written")
  func held() {
    append("abcdefg\n")
    #expect(taken() == "abcdefg\n")
    append("abc\n")
    #expect(lost == 1)
    #expect(queue.finished(by: 0, bytes: 8, lines: 1))
    append("abc\n")
    #expect(lost == 1)
    #expect(taken() == "abc\n")
  }

  @Test("lines that lie across blocks come out as they went in")
  func blocks() {
    let queue = LogQueue(limit: 1_000_000)
    let line = String(repeating: "x", count: 999) + "\n"
    for _ in 0..<200 { queue.append(Array(line.utf8).span) }
    let blocks = queue.take(by: 0, .never)?.blocks ?? []
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
    #expect(queue.take(by: 0, .never) == nil)
    #expect(lost == 1)
  }

  @Test("when the writer ends early, what waits and what it held counts as dropped, once")
  func ended() {
    append("abc\n")
    _ = queue.take(by: 0, .never)
    append("def\n")
    queue.end(by: 0, .closed)
    #expect(lost == 2)
    #expect(queue.lost == [.closed: 2])
    append("ghi\n")
    #expect(lost == 3)
    #expect(queue.take(by: 0, .never) == nil)
  }

  @Test("waiting for the end drops what was not written in time")
  func late() {
    append("abc\n")
    #expect(!queue.waitForEnd(milliseconds: 0))
    #expect(lost == 1)
    #expect(!queue.finished(by: 0, bytes: 4, lines: 1))
  }

  @Test("lines for which there is no room are lost for the trouble that the output has")
  func reasons() {
    append("abcdefghi\n")
    #expect(taken() == "abcdefghi\n")
    append("a\n")
    #expect(queue.lost == [.slow: 1])
    queue.close()
    // Returns at once, because the queue is closed.
    #expect(!queue.pause(by: 0, .diskFull, milliseconds: 60_000))
    append("b\n")
    queue.end(by: 0, .diskFull)
    #expect(queue.lost == [.slow: 1, .exit: 1, .diskFull: 1])
  }

  @Test("losses are reported once, and only by a writer that reports them")
  func told() {
    append("abcdefghi\n")
    append("b\nc\n")
    #expect(queue.take(by: 0, .never)?.losses.isEmpty == true)
    #expect(queue.take(by: 0, .now)?.losses == [.slow: 2])
    append("d\n")
    // Not yet, but at the end.
    queue.close()
    #expect(queue.take(by: 0, .after(60_000))?.losses == [.slow: 1])
    #expect(queue.take(by: 0, .now) == nil)
    #expect(queue.lost == [.slow: 3])
  }

  @Test("a writer that was replaced finishes what it has taken; the next one has all the room, and what is new")
  func replaced() {
    append("abcdefghi\n")
    #expect(taken() == "abcdefghi\n")
    #expect(queue.replaceWriter() == 1)
    append("jklmnopqr\n")
    #expect(queue.lost.isEmpty)
    #expect(queue.take(by: 0, .now) == nil)
    #expect(queue.take(by: 1, .now)?.blocks.count == 1)
    #expect(queue.finished(by: 0, bytes: 10, lines: 1))
    queue.end(by: 0, .slow)
    #expect(queue.finished(by: 1, bytes: 10, lines: 1))
    queue.close()
    #expect(queue.take(by: 1, .now) == nil)
    queue.end(by: 1, .slow)
    #expect(queue.waitForEnd(milliseconds: 0))
    #expect(queue.lost.isEmpty)
  }

  @Test("a writer that was replaced and hangs loses its lines at the end, and there are two of them at most")
  func hanging() {
    append("abc\n")
    _ = taken()
    #expect(queue.replaceWriter() == 1)
    append("def\n")
    _ = queue.take(by: 1, .now)
    #expect(queue.replaceWriter() == 2)
    #expect(queue.replaceWriter() == nil)
    append("ghi\n")
    #expect(queue.take(by: 2, .now)?.blocks.count == 1)
    #expect(queue.finished(by: 2, bytes: 4, lines: 1))
    queue.close()
    queue.end(by: 2, .slow)
    #expect(!queue.waitForEnd(milliseconds: 0))
    #expect(queue.lost == [.slow: 2])
  }

  @Test("another writer revives a queue whose output was closed")
  func revived() {
    queue.end(by: 0, .closed)
    append("a\n")
    #expect(queue.lost == [.closed: 1])
    #expect(queue.replaceWriter() == 1)
    append("b\n")
    let work = queue.take(by: 1, .now)
    #expect(work?.blocks.count == 1)
    #expect(work?.losses == [.closed: 1])
  }
}
