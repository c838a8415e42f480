import Interception

private func scan(_ bytes: some Sequence<UInt8>) -> ClientHello {
  let bytes = Array(bytes)
  return ClientHello.scan(bytes.span)
}

/// A verdict is the same whatever follows, nothing before it is more than a beginning, and the same message in other records is
/// found as well.
func checkClientHello(_ input: [UInt8]) throws(Violation) {
  let verdict = scan(input)
  guard verdict != .incomplete else {
    try require(input.count < ClientHello.mostBytes, "\(input.count) bytes, and no end")
    return
  }
  let suffixes: [[UInt8]] = [[0], [22, 3, 1, 0, 1, 0], Array(repeating: 1, count: 300)]
  for suffix in suffixes {
    try require(scan(input + suffix) == verdict, "\(verdict) became \(scan(input + suffix)) by what follows")
  }
  // Where the verdict falls, by bisection: from there on it stays, as was just seen of the whole.
  var (open, closed) = (0, input.count)
  while open + 1 < closed {
    let middle = (open + closed) / 2
    if scan(input[..<middle]) == .incomplete { open = middle } else { closed = middle }
  }
  let step = max(1, input.count / 512)
  for end in stride(from: 0, through: input.count, by: step) {
    let expected: ClientHello = end < closed ? .incomplete : verdict
    try require(scan(input[..<end]) == expected, "the first \(end) bytes are \(scan(input[..<end])), not \(expected)")
  }
  guard verdict == .whole else { return }
  try require(closed <= ClientHello.mostBytes, "it takes \(closed) bytes")
  // The form of SSL 2.0 has no records.
  guard !ClientHello.isOldForm(input[0]) else { return }
  try checkInOtherRecords(Array(input[..<closed]))
}

private func checkInOtherRecords(_ hello: [UInt8]) throws(Violation) {
  var message: [UInt8] = []
  var offset = 0
  while offset < hello.count {
    let length = Int(hello[offset + 3]) << 8 | Int(hello[offset + 4])
    message += hello[(offset + 5)..<(offset + 5 + length)]
    offset += 5 + length
  }
  for size in [1, 3, 100, message.count] {
    var records: [UInt8] = []
    for start in stride(from: 0, to: message.count, by: size) {
      let content = message[start..<min(start + size, message.count)]
      records += [22, 3, 3, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }
    let expected: ClientHello = records.count <= ClientHello.mostBytes ? .whole : .tooLong
    try require(scan(records) == expected, "in records of \(size) bytes it is \(scan(records))")
  }
}
