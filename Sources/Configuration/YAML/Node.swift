/// A piece of proxy.conf with the place where it begins.
struct Node {
  /// What a node is.
  enum Content {
    /// Text, whatever YAML would make of it; `isNothing` when nothing at all is written where a value could be.
    case scalar(String, isNothing: Bool)
    case sequence([Node])
    /// Keys are unique, in the order of the file.
    case mapping([Entry])
    /// Something that was refused, and reported, when the tree was built.
    case refused
  }

  /// A key of a mapping and what it stands for.
  struct Entry {
    let key: String
    let keyMark: Mark
    let value: Node
  }

  let mark: Mark
  let content: Content
}
