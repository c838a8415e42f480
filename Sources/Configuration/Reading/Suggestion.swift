/// The candidate that `word` probably meant, if one is similar enough.
func suggestion(for word: String, among candidates: [String]) -> String? {
  // A word this long is not a typing mistake, and the cost is the product of the lengths.
  guard word.utf8.count <= 64 else { return nil }
  let word = comparable(word)
  let near = candidates.map { (name: $0, distance: editDistance(word, comparable($0))) }
    .min { $0.distance < $1.distance }
  if let near, near.distance <= max(1, min(word.count, near.name.utf8.count) / 3) { return near.name }
  return candidates.first {
    word.count >= 3 && (comparable($0).starts(with: word) || word.starts(with: comparable($0)))
  }
}

/// Ignores case, and the difference between "-" and "_", which are the most common mistakes.
private func comparable(_ word: String) -> [UInt8] {
  word.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `one` into `other`.
func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...other.count)
  for i in 0..<one.count {
    var row = [i + 1]
    for j in 0..<other.count {
      var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (one[i] == other[j] ? 0 : 1))
      if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] { cost = min(cost, beforeLast[j - 1] + 1) }
      row.append(cost)
    }
    beforeLast = last
    last = row
  }
  return last[other.count]
}

/// `text` in quotes for a message: shortened, and without control characters.
func displayed(_ text: String) -> String {
  let limit = 64
  var shown = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    if scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format {
      shown += codePoint(scalar)
    } else {
      shown.unicodeScalars.append(scalar)
    }
  }
  return "\"\(shown)\(text.unicodeScalars.count > limit ? "..." : "")\""
}

/// The usual name of a character, such as `U+000A`.
func codePoint(_ scalar: Unicode.Scalar) -> String {
  let digits = String(scalar.value, radix: 16, uppercase: true)
  return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// `words` as an English enumeration: `a`, `a or b`, `a, b or c`.
func alternatives(_ words: [String]) -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "" }
  return "\(words.dropLast().joined(separator: ", ")) or \(last)"
}
