import Bytes
import Foundation
import Locks
import Testing

@testable import Telemetry

@Suite("Log sink") struct LogSinkTests {
  /// Line number `number`, of a length that depends on it.
  func line(_ number: Int) -> String {
    "line=\(number) " + String(repeating: "x", count: number % 97) + "\n"
  }

  /// A pipe, whose ends are the caller's to close.
  func pipe() throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(unsafe Glibc.pipe(&ends) == 0)
    // Not for the processes that other tests start: they would keep the pipe open.
    for end in ends { try #require(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
    return (ends[0], ends[1])
  }

  /// Everything that can be read until the last writer closes.
  func readAll(_ descriptor: Int32) throws -> [UInt8] {
    try [UInt8](FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd() ?? Data())
  }

  /// What can be read now or, so that a test fails rather than hangs, within a minute.
  func readSome(_ descriptor: Int32) throws -> [UInt8] {
    var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    try #require(unsafe poll(&readable, 1, 60_000) == 1)
    var received = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(descriptor, &received, received.count)
    return Array(received.prefix(count))
  }

  func write(_ lines: [String], to sink: LogSink) {
    sink.write(Array(lines.joined().utf8).span)
  }

  @Test("what is written from many threads arrives whole, and each thread's in its order")
  func concurrent() throws {
    let bytes = try output { sink in
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        for number in 0..<5_000 { write(["thread=\(thread) \(line(number))"], to: sink) }
      }
      #expect(sink.droppedLines == 0)
    }
    let lines = try lines(of: bytes)
    #expect(lines.count == 20_000)
    for thread in 0..<4 {
      let own = lines.filter { $0.hasPrefix("thread=\(thread) ") }
      #expect(own == (0..<5_000).map { "thread=\(thread) " + line($0).dropLast() })
    }
  }

  @Test("without a reader, whole lines are dropped and counted, and the others arrive when there is one")
  func slowReader() throws {
    let (reading, writing) = try pipe()
    let sink = LogSink(descriptor: writing, pendingLimit: 100_000)
    // Three lines at a time, so that a batch can be accepted in part.
    for number in stride(from: 0, to: 9_000, by: 3) { write((number..<number + 3).map(line), to: sink) }
    let dropped = sink.droppedLines
    #expect(dropped > 0 && dropped < 9_000)

    let finished = DispatchQueue.global().asyncResult {
      let all = sink.finish(within: .seconds(60))
      close(writing)
      return all
    }
    let lines = try lines(of: readAll(reading))
    #expect(finished())
    close(reading)
    #expect(UInt64(lines.count) + dropped == 9_000)
    #expect(sink.droppedLines == dropped)
    var next = 0
    for received in lines {
      let number = try #require(Int(received.split(separator: " ")[0].dropFirst("line=".count)))
      #expect(number >= next)
      #expect(received + "\n" == line(number))
      next = number + 1
    }
  }

  @Test("a descriptor that does not block is waited for all the same")
  func nonBlocking() throws {
    let (reading, writing) = try pipe()
    try #require(fcntl(writing, F_SETFL, O_NONBLOCK) == 0)
    let sink = LogSink(descriptor: writing)
    let written = (0..<20_000).map(line)
    write(written, to: sink)
    let finished = DispatchQueue.global().asyncResult {
      let all = sink.finish(within: .seconds(60))
      close(writing)
      return all
    }
    let received = try readAll(reading)
    #expect(finished())
    close(reading)
    // Compared outside, because the difference of two megabytes would take for ever to find and tell nothing.
    let isComplete = received == Array(written.joined().utf8)
    #expect(isComplete)
  }

  @Test("finishing does not wait forever for a reader, and what was not read counts as dropped")
  func noReader() throws {
    let (reading, writing) = try pipe()
    let sink = LogSink(descriptor: writing, pendingLimit: 10_000_000)
    write(Array(repeating: String(repeating: "x", count: 999) + "\n", count: 5_000), to: sink)
    #expect(!sink.finish(within: .seconds(0)))
    let dropped = sink.droppedLines
    #expect(dropped > 0 && dropped <= 5_000)
    // The writing end stays open: the writer's thread may be in a write to it until this is closed.
    close(reading)
  }

  @Test("when the reader is gone, the process lives on and all lines count as dropped")
  func readerGone() throws {
    let (reading, writing) = try pipe()
    close(reading)
    let sink = LogSink(descriptor: writing)
    write([line(1), line(2)], to: sink)
    #expect(!sink.finish(within: .seconds(60)))
    write([line(3)], to: sink)
    #expect(sink.droppedLines == 3)
    close(writing)
  }

  @Test("after finishing nothing is written any more")
  func finished() throws {
    let bytes = try output { sink in
      write([line(1)], to: sink)
      #expect(sink.finish(within: .seconds(60)))
      write([line(2), line(3)], to: sink)
      #expect(sink.droppedLines == 2)
      #expect(sink.finish(within: .seconds(60)))
    }
    #expect(bytes == Array(line(1).utf8))
  }

  @Test("a line is written without anything being finished or flushed")
  func atOnce() throws {
    let (reading, writing) = try pipe()
    let sink = LogSink(descriptor: writing)
    for number in 0..<3 {
      write([line(number)], to: sink)
      #expect(try readSome(reading) == Array(line(number).utf8))
    }
    #expect(sink.finish(within: .seconds(60)))
    close(reading)
    close(writing)
  }

  @Test("a sink that is released without finishing still writes what it took, and ends its thread")
  func letGo() throws {
    let (reading, writing) = try pipe()
    var sink: LogSink? = LogSink(descriptor: writing)
    let queue = try #require(sink?.queue)
    write([line(1)], to: try #require(sink))
    sink = nil
    #expect(queue.waitForEnd(milliseconds: 60_000))
    #expect(try readSome(reading) == Array(line(1).utf8))
    close(reading)
    close(writing)
  }

  /// An output that does what a test says.
  final class ScriptedOutput: LogOutput, @unchecked Sendable {
    private let state = Monitor((written: "", trouble: LogStep?.none, reopenings: 0))

    func setTrouble(_ step: LogStep?) { state.withLock { $0.trouble = step } }
    var written: String { state.withLock { $0.written } }
    var reopenings: Int { state.withLock { $0.reopenings } }

    /// Waits, a minute at most so that a test fails rather than hangs, until `condition` holds of what was written.
    func wait(until condition: (String) -> Bool) -> String {
      state.wait(while: { !condition($0.written) }, milliseconds: 60_000, then: { $0.written })
    }

    func step(_ block: ByteBuffer) -> LogStep {
      defer { state.wakeAll() }
      return state.withLock { state in
        if let trouble = state.trouble { return trouble }
        let bytes = block.readableBytes
        state.written += String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        return .wrote(bytes: bytes.count, lines: bytes.lineCount)
      }
    }

    func reopen() -> String? {
      state.withLock { state in
        state.reopenings += 1
        // The next attempt finds room.
        state.trouble = nil
        return nil
      }
    }
  }

  @Test("an output that stalls loses what has no room, goes on when there is some, and the log tells of it")
  func stalled() throws {
    let output = ScriptedOutput()
    output.setTrouble(.stalled(.diskFull, "no room"))
    let told = Monitor([String]())
    let sink = LogSink(
      LogTarget(output: output), pendingLimit: 100, style: LogStyle(format: .logfmt),
      onTrouble: { problem in
        told.withLock { $0.append(problem) }
        told.wakeAll()
      })
    write(["first\n"], to: sink)
    // The writer has met the trouble.
    #expect(told.wait(while: { $0.isEmpty }, milliseconds: 60_000, then: { $0 }) == ["no room"])
    for _ in 0..<10 { write([String(repeating: "x", count: 19) + "\n"], to: sink) }
    #expect(sink.lostLines == [.diskFull: 6])
    let done = DispatchSemaphore(value: 0)
    sink.reopen { _ in done.signal() }
    done.wait()
    let written = output.wait { $0.contains("event=log") }
    #expect(written.hasPrefix("first\n" + String(repeating: String(repeating: "x", count: 19) + "\n", count: 4)))
    #expect(
      written.hasSuffix(
        #" level=warning event=log reason=disk_full detail="lines were lost: the disk was full" lines_dropped=6\#n"#))
    #expect(sink.finish(within: .seconds(60)))
    #expect(sink.lostLines == [.diskFull: 6])
    #expect(told.withLock { $0.count } == 1 && output.reopenings == 1)
  }

  @Test("lines go to another output from now on, also where the earlier one hangs")
  func redirected() throws {
    let (reading, writing) = try pipe()
    let sink = LogSink(descriptor: writing, pendingLimit: 1_000_000)
    // More than a pipe holds: the writer hangs.
    write(Array(repeating: String(repeating: "x", count: 999) + "\n", count: 500), to: sink)
    _ = try readSome(reading)
    let next = ScriptedOutput()
    try sink.redirect(to: LogTarget(output: next))
    write(["next\n"], to: sink)
    #expect(next.wait { $0.contains("next") }.hasSuffix("next\n"))
    #expect(!sink.finish(within: .seconds(0)))
    #expect(sink.lostLines[.slow] ?? 0 > 0)
    close(reading)
  }

  @Test("an output whose reader is gone is reported by the next one")
  func readerGoneAndRedirected() throws {
    let (reading, writing) = try pipe()
    close(reading)
    let sink = LogSink(descriptor: writing, style: LogStyle(format: .json))
    write([line(1)], to: sink)
    let deadline = ContinuousClock.now + .seconds(60)
    while sink.lostLines != [.closed: 1] && ContinuousClock.now < deadline { sched_yield() }
    let next = ScriptedOutput()
    try sink.redirect(to: LogTarget(output: next))
    let told = next.wait { $0.contains("log") }
    #expect(
      told.contains(#""level":"warning","event":"log","reason":"closed""#) && told.hasSuffix(#""lines_dropped":1}\#n"#))
    #expect(sink.finish(within: .seconds(60)))
    close(writing)
  }
}
