import Foundation
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
}
