import Testing

@testable import Routing

@Suite("Paths in the route table")
struct PathTableTests {
  private func find(_ table: PathTable<Int>, _ path: String, unless passedOver: Int? = nil) -> Int? {
    let path = Array(path.utf8)
    return table.entry(covering: path.span) { $0 != passedOver }?.value
  }

  private func makeTable(_ prefixes: [String]) -> PathTable<Int> {
    var table = PathTable<Int>()
    for (number, prefix) in prefixes.enumerated() { table.update(PathPrefix(prefix), default: -1) { $0 = number } }
    return table
  }

  @Test("the longest prefix wins, at the end of a segment, and is passed over where it will not do")
  func longest() {
    let table = makeTable(["", "/a", "/a/", "/a/b", "/a/b/c/"])
    let expected = [
      ("/", 0), ("*", 0), ("/ab", 0), ("/a", 1), ("/a/", 2), ("/a/x", 2), ("/a/b", 3), ("/a/b/", 3), ("/a/b/c", 3),
      ("/a/b/c/", 4), ("/a/b/c/d", 4), ("/a/bc", 2), ("", 0),
    ]
    for (path, number) in expected { #expect(find(table, path) == number, "\(path)") }
    #expect(find(table, "/a/b/c/d", unless: 4) == 3)
    #expect(find(table, "/x", unless: 0) == nil)
    #expect(find(makeTable([]), "/") == nil)
    #expect(find(makeTable(["/a"]), "/b") == nil)
  }

  @Test("every one of many is found as a search of all of them would find it")
  func many() {
    // Every path of up to four segments out of three, with and without the slash at its end.
    var prefixes = [""]
    var level = [""]
    for _ in 0..<4 {
      level = level.flatMap { path in ["a", "b", "ab"].map { "\(path)/\($0)" } }
      prefixes += level + level.map { "\($0)/" }
    }
    // Two thirds of them, so that many have a gap above them.
    let known = prefixes.enumerated().filter { $0.offset % 3 != 1 }.map(\.element)
    let table = makeTable(known)
    for path in prefixes + prefixes.map({ "\($0)x" }) + prefixes.map({ "\($0)/a//b" }) {
      let bytes = Array(path.utf8)
      let expected = known.indices.filter { PathPrefix(known[$0]).covers(bytes.span) }.max { one, other in
        known[one].utf8.count < known[other].utf8.count
      }
      #expect(find(table, path) == expected, "\(path)")
    }
  }

  @Test("a second update changes the first value")
  func updates() {
    var table = PathTable<[Int]>()
    for number in 0..<3 { table.update(PathPrefix("/a"), default: []) { $0.append(number) } }
    let path = Array("/a/b".utf8)
    let found = table.entry(covering: path.span) { _ in true }
    #expect(found?.value == [0, 1, 2])
    #expect(found?.prefix.length == 2)
  }
}
