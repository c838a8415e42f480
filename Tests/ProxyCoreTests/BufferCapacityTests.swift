import Configuration
import Testing

@testable import ProxyCore

@Suite struct BufferCapacityTests {
  @Test(
    "a buffer is as large as proxy.conf says, and never too small for a head and what is added to it",
    arguments: [(128, 32, 32, 128), (16, 32, 1, 72), (16, 1, 48, 88), (16, 1, 1, 41), (1024, 48, 48, 1024)])
  func capacity(buffer: Int, head: Int, responseHead: Int, expected: Int) {
    var limits = Limits()
    limits.buffer = buffer * 1024
    limits.head = head * 1024
    limits.responseHead = responseHead * 1024
    #expect(LoopLimits(limits, loops: 1).bufferCapacity == expected * 1024)
  }
}
