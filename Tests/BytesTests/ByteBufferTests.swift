import Bytes
import Testing

@Suite("ByteBuffer") struct ByteBufferTests {
  @Test("what is appended is read back in order")
  func appended() {
    let buffer = ByteBuffer(capacity: 64)
    buffer.append("GET ")
    buffer.append(decimal: 0)
    buffer.append(decimal: UInt64.max)
    buffer.append(hexadecimal: 0xdead)
    buffer.append(UInt8(ascii: "!"))
    buffer.append(" é" as String)
    #expect(text(of: buffer) == "GET 018446744073709551615dead! é")
  }

  @Test("a number takes the place of what was appended for it")
  func overwritten() {
    let buffer = ByteBuffer(capacity: 16)
    buffer.append("a" as StaticString)
    buffer.appendZeros(3)
    buffer.append("b" as StaticString)
    #expect(text(of: buffer) == "a000b")
    buffer.consume(1)
    buffer.overwrite(hexadecimal: 0xfe, digits: 3, at: 1)
    #expect(text(of: buffer) == "0feb")
    buffer.setByte(UInt8(ascii: "-"), at: 1)
    #expect(text(of: buffer) == "-feb")
    buffer.appendZeros(0)
    #expect(buffer.count == 4)
  }

  @Test("consuming everything makes all space free again")
  func consumed() {
    let buffer = ByteBuffer(capacity: 8)
    buffer.append("12345678")
    #expect(buffer.freeSpace == 0)
    buffer.consume(3)
    #expect(buffer.freeSpace == 0)
    buffer.consume(5)
    #expect(buffer.freeSpace == 8)
  }

  @Test("compacting keeps the readable bytes and frees the rest")
  func compacted() {
    let buffer = ByteBuffer(capacity: 8)
    buffer.append("12345678")
    buffer.consume(6)
    buffer.compact()
    #expect(text(of: buffer) == "78")
    #expect(buffer.freeSpace == 6)
  }

  @Test("truncating drops what lies behind the new end")
  func truncated() {
    let buffer = ByteBuffer(capacity: 8)
    buffer.append("12345678")
    buffer.truncate(to: 2)
    #expect(text(of: buffer) == "12")
  }

  @Test("a pool lends an empty buffer, the last one given back first")
  func pooled() {
    let pool = BufferPool(bufferCapacity: 16, keeping: 1)
    let first = pool.lend()
    let second = pool.lend()
    first.append("left over")
    pool.giveBack(first)
    pool.giveBack(second)
    let again = pool.lend()
    #expect(again === first)
    #expect(again.isEmpty)
    #expect(pool.lend() !== second)
  }

  @Test("what is waited with moves to a small buffer, and the large one serves others")
  func shrunk() {
    let pool = BufferPool(bufferCapacity: 4096, keeping: 1)
    let large = pool.lend()
    large.append("GONEHEAD")
    large.consume(4)
    let small = pool.shrink(large)
    #expect(small.capacity == 1024 && text(of: small) == "HEAD")
    #expect(pool.lend() === large && large.isEmpty)
    let grown = pool.grow(small)
    #expect(grown.capacity == 4096 && text(of: grown) == "HEAD")
    #expect(pool.shrink(grown) === small && text(of: small) == "HEAD")
  }

  @Test("what does not fit into a small buffer stays where it is, and so does what is in one")
  func notShrunk() {
    let pool = BufferPool(bufferCapacity: 4096, keeping: 1)
    let full = pool.lend()
    full.append(String(repeating: "x", count: 1025))
    #expect(pool.shrink(full) === full && pool.grow(full) === full)
    let small = pool.shrink(pool.lend())
    #expect(pool.shrink(small) === small)
    let tiny = BufferPool(bufferCapacity: 64, keeping: 1)
    let buffer = tiny.lend()
    #expect(tiny.shrink(buffer) === buffer)
  }

  @Test("a pool does not take in what it has not lent")
  func strange() {
    let pool = BufferPool(bufferCapacity: 16, keeping: 4)
    pool.giveBack(pool.empty)
    pool.giveBack(ByteBuffer(capacity: 8))
    #expect(pool.lend().capacity == 16)
  }
}

func text(of buffer: ByteBuffer) -> String {
  var bytes: [UInt8] = []
  let span = buffer.readableBytes
  for index in span.indices { bytes.append(span[index]) }
  return String(decoding: bytes, as: UTF8.self)
}
