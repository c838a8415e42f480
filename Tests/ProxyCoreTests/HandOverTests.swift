import Testing

@testable import ProxyCore

@Suite("What a process tells the one that takes its place") struct HandOverTests {
  private let example = HandOver(
    process: 4711, version: "0.2.0", outcome: 5, tokens: 6,
    sockets: [
      .init(use: .listener, number: 7, address: "[::1]:0", group: 0),
      .init(use: .listener, number: 8, address: "unix:/run/a b=c%\n.sock", group: 1, file: "8:123"),
      .init(use: .listener, number: 9, address: "systemd", group: 2, systemdName: "wéb socket"),
      .init(use: .admin, number: 10, address: "127.0.0.1:9901"),
      .init(use: .control, number: 11, address: "unix:@m2m-proxy-0-1a2b3c4d"),
    ])

  @Test("is read as it was written") func roundTrip() {
    #expect(HandOver(example.text) == example)
    let few = HandOver(process: 1, version: "", outcome: 3)
    #expect(HandOver(few.text) == few)
  }

  @Test("may say more than the other version understands") func laterVersions() {
    let text = example.text.replacing("fd=7", with: "colour=red fd=7") + "environment fd=12\n"
    #expect(HandOver(text) == example)
  }

  @Test(
    "is refused where it is something else",
    arguments: [
      "", "listener fd=3 address=a group=0", "process pid=x outcome=4", "process pid=1", "process pid=1 outcome",
      "process pid=1 outcome=4\nlistener fd=3", "process pid=1 outcome=4\nlistener fd=x address=a group=0",
      "process pid=1 outcome=4 version=%zz",
    ])
  func refused(text: String) { #expect(HandOver(text) == nil) }
}
