import Testing

@testable import ProxyCore

@Suite("The proxy's name in Via") struct ViaNameTests {
  private let name = ViaName()

  private func occurs(in text: String) -> Bool {
    let bytes = Array(text.utf8)
    return name.occurs(in: bytes.span)
  }

  @Test("is found wherever it stands, in whatever case")
  func found() {
    let text = String(decoding: name.bytes, as: UTF8.self)
    for value in ["1.1 \(text)", "1.1 a, 1.1 \(text), 1.1 b", "1.1 \(text.uppercased())", "1.1 m2m-m2m-proxy-\(text)"] {
      #expect(occurs(in: value), "\(value)")
    }
  }

  @Test("is not found in what only begins like it, or is another's")
  func others() {
    let text = String(decoding: name.bytes, as: UTF8.self)
    for value in [
      "", "1.1 a", "1.1 \(text.dropLast())", "1.1 \(String(decoding: ViaName().bytes, as: UTF8.self))", "ä",
    ] {
      #expect(!occurs(in: value), "\(value)")
    }
  }
}
