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
}
