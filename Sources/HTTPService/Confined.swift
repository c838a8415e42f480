// Sendable although its value may not be: it is made on the loop's thread and opened there only.
/// Carries what belongs to a loop's thread into a task of that loop.
struct Confined<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
