public import SystemPackage

extension Errno {
  /// Whether the kernel has no descriptor, or no memory for what one stands for: the same may work a moment later.
  public var isShortage: Bool {
    switch self {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace: true
    default: false
    }
  }
}
