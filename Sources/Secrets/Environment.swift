import Glibc

/// Environment variables, by name. Their values are kept together as one secret, and copied out of it one by one.
public struct Environment: Sendable {
  /// `NAME=value` for each variable, each followed by a zero byte: as the kernel has it.
  let block: Secret
  /// Where in the block an entry begins, and where its value is.
  private struct Place {
    let begin: Int
    let value: Range<Int>
  }

  private let places: [String: Place]

  /// What `block` holds: `NAME=value` for each variable, each followed by a zero byte. Of two variables with the same name the
  /// first counts, as for getenv; what has no `=` is no variable.
  init(block: Secret) {
    self.block = block
    places = block.withBytes { bytes in
      var places: [String: Place] = [:]
      var begin = 0
      for end in bytes.indices where bytes[end] == 0 {
        let entry = begin..<end
        begin = end + 1
        guard let sign = entry.first(where: { bytes[$0] == UInt8(ascii: "=") }), sign > entry.lowerBound else {
          continue
        }
        let name = String(decoding: (entry.lowerBound..<sign).map { bytes[$0] }, as: UTF8.self)
        if places[name] == nil { places[name] = Place(begin: entry.lowerBound, value: sign + 1..<end) }
      }
      return places
    }
  }

  /// The names of all variables.
  public var names: [String] { Array(places.keys) }

  /// The value of a variable; nil where it is not set. The string is the caller's, and is not wiped.
  public subscript(name: String) -> String? {
    guard let value = places[name]?.value else { return nil }
    return block.withBytes { bytes in String(decoding: value.map { bytes[$0] }, as: UTF8.self) }
  }

  /// The value of a variable as a secret, without line ends behind it; nil where it is not set.
  public func secret(_ name: String) -> Secret? {
    guard let value = places[name]?.value else { return nil }
    return block.withBytes { bytes in Secret(trimmingLineEnds: bytes.extracting(value)) }
  }

  /// The variables with these `names`, as far as they are set.
  public func values(of names: some Sequence<String>) -> [String: String] {
    names.reduce(into: [:]) { $0[$1] = self[$1] }
  }

  /// An array as execve takes it, of the variables with these `names` and those that `isWanted` names; the caller frees the
  /// entries.
  func entries(_ isWanted: (String) -> Bool, and names: [String]) -> [UnsafeMutablePointer<CChar>?] {
    let wanted = places.filter { isWanted($0.key) || names.contains($0.key) }
    return unsafe block.withBytes { bytes in
      unsafe wanted.values.map { place in
        // With the zero byte behind it.
        let entry = bytes.extracting(place.begin..<place.value.upperBound + 1)
        return unsafe entry.withUnsafeBytes { entry in
          unsafe strdup(entry.baseAddress!.assumingMemoryBound(to: CChar.self))
        }
      } + [nil]
    }
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
