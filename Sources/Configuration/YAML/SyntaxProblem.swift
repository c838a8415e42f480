/// A reason to read a file no further; nil as its mark means the file as a whole.
struct SyntaxProblem: Error, Hashable {
  let mark: Mark?
  let message: String
}
