extension Concurrency {
  /// Reads `concurrency` of a route: a number, or a mapping that says more. Nil after a problem was
  /// noted.
  static func read(_ setting: Setting) -> Concurrency? {
    let requests = Format<Int>.count(1...100_000)
    if setting.written != nil { return setting.value(requests).map(Concurrency.init) }
    return setting.section(expected: "\(requests.expected), or a mapping with requests, queue, wait and client_share") {
      section in
      let number = section.required("requests", requests)
      var concurrency = Concurrency(requests: number ?? 1)
      section.read("queue", .count(0...100_000), into: &concurrency.queue)
      section.read("wait", .duration, into: &concurrency.wait)
      section.read("client_share", .clientShare, into: &concurrency.clientShare)
      return number == nil ? nil : concurrency
    }
  }
}
