/// What this process calls itself in Via (RFC 9110 section 7.6.3): a name that no other has, so that a request that
/// comes back is told from one that another m2m-proxy sent on.
struct ViaName: Sendable {
  let text: String
  let bytes: [UInt8]

  /// A name of a new process.
  init() {
    let number = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    text = "m2m-proxy-" + String(repeating: "0", count: 8 - number.count) + number
    bytes = Array(text.utf8)
  }
}
