import Glibc

/// Environment variables, by name. Their values are kept together as one secret, and copied out of it one by one.
public struct Environment: Sendable {
  /// `NAME=value` for each variable, each followed by a zero byte: as the kernel has it.
  let block: Secret
  /// Where in the block the values are.
  private let values: [String: Range<Int>]

  /// What `block` holds: `NAME=value` for each variable, each followed by a zero byte. Of two variables with the same name the
  /// first counts, as for getenv; what has no `=` is no variable.
  init(block: Secret) {
    self.block = block
    values = block.withBytes { bytes in
      var values: [String: Range<Int>] = [:]
      var begin = 0
      for end in bytes.indices where bytes[end] == 0 {
        let entry = begin..<end
        begin = end + 1
        guard let sign = entry.first(where: { bytes[$0] == UInt8(ascii: "=") }), sign > entry.lowerBound else {
          continue
        }
        let name = String(decoding: (entry.lowerBound..<sign).map { bytes[$0] }, as: UTF8.self)
        if values[name] == nil { values[name] = sign + 1..<end }
      }
      return values
    }
  }

  /// The names of all variables.
  public var names: [String] { Array(values.keys) }

  /// The value of a variable; nil where it is not set. The string is the caller's, and is not wiped.
  public subscript(name: String) -> String? {
    guard let value = values[name] else { return nil }
    return block.withBytes { bytes in String(decoding: value.map { bytes[$0] }, as: UTF8.self) }
  }

  /// The value of a variable as a secret, without line ends behind it; nil where it is not set.
  public func secret(_ name: String) -> Secret? {
    guard let value = values[name] else { return nil }
    return block.withBytes { bytes in Secret(trimmingLineEnds: bytes.extracting(value)) }
  }

  /// The variables with these `names`, as far as they are set.
  public func values(of names: some Sequence<String>) -> [String: String] {
    names.reduce(into: [:]) { $0[$1] = self[$1] }
  }

  /// Calls `body` with the bytes of `NAME=value` and a zero byte, where the variable is set.
  func withEntry(_ name: String, _ body: (Span<UInt8>) -> Void) {
    guard let value = values[name] else { return }
    block.withBytes { bytes in body(bytes.extracting(value.lowerBound - name.utf8.count - 1..<value.upperBound + 1)) }
  }
}

extension Environment: ExpressibleByDictionaryLiteral {
  /// Of variables and their values.
  public init(dictionaryLiteral elements: (String, String)...) {
    self.init(elements.map { ($0, $1) })
  }

  /// Of variables and their values.
  public init(_ variables: some Sequence<(key: String, value: String)>) {
    var bytes = variables.flatMap { name, value in Array(name.utf8) + [UInt8(ascii: "=")] + Array(value.utf8) + [0] }
    self.init(block: Secret(bytes.span))
    unsafe explicit_bzero(&bytes, bytes.count)
  }
}
