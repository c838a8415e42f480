import Configuration
import Testing

@testable import ProxyCore

@Suite struct BufferCapacityTests {
  @Test(
    "a buffer is as large as proxy.conf says, and never too small for a head and what is added to it",
    arguments: [(64, 32, 32, 64), (16, 32, 1, 48), (16, 1, 48, 64), (16, 1, 1, 17), (1024, 48, 48, 1024)])
  func capacity(buffer: Int, head: Int, responseHead: Int, expected: Int) {
    var limits = Limits()
    limits.buffer = buffer * 1024
    limits.head = head * 1024
    limits.responseHead = responseHead * 1024
    #expect(LoopLimits(limits, loops: 1).bufferCapacity == expected * 1024)
  }
}
