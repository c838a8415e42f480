import Testing

@testable import ProxyCore

@Suite("Places that clients share") struct FairPlacesTests {
  private final class Guest {
    let client: Character
    init(_ client: Character) { self.client = client }
  }

  /// Places, who has one, and who waits, as an observer sees it.
  private struct Scene {
    var places: FairPlaces<Character, Guest>
    var inside: [Character] = []
    var waiting: [Guest] = []

    init(_ count: Int) { places = FairPlaces(places: count) }

    mutating func arrive(_ clients: String) {
      for client in clients {
        if places.enter(client) {
          inside.append(client)
        } else {
          let guest = Guest(client)
          places.wait(guest, for: client)
          waiting.append(guest)
        }
      }
    }

    /// Who gets a place because one of `client` leaves, in that order.
    mutating func leave(_ client: Character) -> String {
      places.leave(client)
      inside.remove(at: inside.firstIndex(of: client)!)
      var admitted = ""
      while let next = places.next() {
        #expect(waiting.first { $0.client == next.client } === next, "within a client it is first come, first served")
        waiting.removeAll { $0 === next }
        inside.append(next.client)
        admitted.append(next.client)
      }
      return admitted
    }
  }

  @Test("one client gets half of them, and the next ones find a place")
  func half() {
    var scene = Scene(8)
    scene.arrive("aaaaaaaaaa")
    #expect(scene.inside.count == 4 && scene.places.waiting == 6)
    scene.arrive("bbb")
    #expect(scene.inside.count { $0 == "b" } == 2)
    scene.arrive("c")
    #expect(scene.inside.count { $0 == "c" } == 1 && scene.places.taken == 7)
  }

  @Test("a single place serves clients in turns, however many wait of one")
  func turns() {
    var scene = Scene(1)
    scene.arrive("aaaa")
    scene.arrive("b")
    scene.arrive("c")
    #expect(scene.leave("a") == "b")
    #expect(scene.leave("b") == "c")
    #expect(scene.leave("c") == "a")
    scene.arrive("b")
    #expect(scene.leave("a") == "b")
    #expect(scene.leave("b") == "a")
  }

  @Test("the client with the fewest is next")
  func fewest() {
    var scene = Scene(6)
    scene.arrive("aaab")
    #expect(scene.inside == ["a", "a", "a", "b"])
    scene.arrive("bab")
    // b has 2 of 6 then, and there is one place left.
    #expect(scene.inside.count { $0 == "b" } == 2 && scene.places.waiting == 2)
    #expect(scene.leave("a") == "")
    #expect(scene.leave("a") == "a")
  }

  @Test("a request that gives up is forgotten, and one that has a place cannot give up")
  func withdraw() {
    var scene = Scene(2)
    scene.arrive("aaa")
    let (first, second) = (scene.waiting[0], scene.waiting[1])
    let isWithdrawn = scene.places.withdraw(first, of: "a")
    let isWithdrawnTwice = scene.places.withdraw(first, of: "a")
    #expect(isWithdrawn && !isWithdrawnTwice && scene.places.waiting == 1)
    scene.waiting.removeFirst()
    #expect(scene.leave("a") == "a")
    let isLate = scene.places.withdraw(second, of: "a")
    #expect(!isLate && scene.places.taken == 1 && scene.places.waiting == 0)
  }

  @Test("no client waits while there is a place for it, and there are never more inside than places", arguments: 1...5)
  func everyWay(places: Int) {
    var seed: UInt64 = 7
    func random(_ bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    var scene = Scene(places)
    for _ in 0..<5_000 {
      switch random(5) {
      case 0, 1: scene.arrive(String("abcd".randomElement(at: random(4))))
      case 2 where !scene.waiting.isEmpty:
        let guest = scene.waiting.remove(at: random(scene.waiting.count))
        let isWithdrawn = scene.places.withdraw(guest, of: guest.client)
        #expect(isWithdrawn)
      default:
        guard !scene.inside.isEmpty else { continue }
        _ = scene.leave(scene.inside[random(scene.inside.count)])
      }
      let free = places - scene.inside.count
      #expect(scene.places.taken == scene.inside.count && scene.places.waiting == scene.waiting.count && free >= 0)
      for guest in scene.waiting {
        #expect(scene.inside.count { $0 == guest.client } >= free, "\(guest.client) could enter")
      }
    }
  }
}

extension String {
  fileprivate func randomElement(at index: Int) -> Character { self[self.index(startIndex, offsetBy: index)] }
}
