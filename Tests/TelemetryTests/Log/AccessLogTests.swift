import Foundation
import Telemetry
import Testing

@Suite("Access log") struct AccessLogTests {
  @Test("lines wait for a flush, and are written once")
  func flush() throws {
    var ends: [Int32] = [0, 0]
    try #require(unsafe Glibc.pipe(&ends) == 0)
    let sink = LogSink(descriptor: ends[1])
    let log = AccessLog(sink: sink, style: LogStyle(format: .logfmt))
    log.write(at: 0) { _ in }
    log.write(at: 0) { $0.field(.status, 204) }
    sink.write(Array("in between\n".utf8).span)
    log.flush()
    log.flush()
    #expect(sink.finish(within: .seconds(60)))
    close(ends[1])
    let received = try FileHandle(fileDescriptor: ends[0], closeOnDealloc: true).readToEnd()
    #expect(
      try lines(of: [UInt8](received ?? Data())) == [
        "in between", "time=1970-01-01T00:00:00.000Z event=request",
        "time=1970-01-01T00:00:00.000Z event=request status=204",
      ])
  }

  @Test("very many lines are handed over without a flush, and the rest when the log ends")
  func many() throws {
    let bytes = try output { sink in
      let log = AccessLog(sink: sink, style: LogStyle(format: .json))
      for number in 0..<2_000 { log.write(at: 0) { $0.field(.sent, number) } }
    }
    #expect(try lines(of: bytes).count == 2_000)
  }

  @Test("a change of the form takes effect with the next line, and no line is in two forms")
  func form() throws {
    let bytes = try output { sink in
      let style = LogStyle(format: .logfmt)
      let log = AccessLog(sink: sink, style: style)
      log.write(at: 0) { $0.field(.status, 1) }
      style.format = .json
      log.write(at: 0) { $0.field(.status, 2) }
    }
    #expect(
      try lines(of: bytes) == [
        "time=1970-01-01T00:00:00.000Z event=request status=1",
        #"{"time":"1970-01-01T00:00:00.000Z","event":"request","status":2}"#,
      ])
  }

  @Test(
    "samples are as many as they should be, in any stretch of requests", arguments: [1_000, 10_000, 123_456, 999_999])
  func samples(millionths: UInt64) throws {
    _ = try output { sink in
      let log = AccessLog(sink: sink, style: LogStyle(format: .logfmt))
      for requests in [1_000, 10_000, 100_000] {
        let taken = (0..<requests).count { _ in log.takesSample(millionths: millionths) }
        #expect(abs(taken - requests * Int(millionths) / 1_000_000) <= 5, "\(taken) of \(requests)")
        // No pattern of requests has all samples, or none.
        let every = (0..<requests * 10).count { number in
          let isTaken = log.takesSample(millionths: millionths)
          return isTaken && number.isMultiple(of: 10)
        }
        #expect(abs(every - requests * Int(millionths) / 1_000_000) <= 12, "\(every) of \(requests)")
      }
    }
  }
}
