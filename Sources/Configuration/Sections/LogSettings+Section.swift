extension LogSettings {
  /// Reads the section `log`.
  mutating func read(_ section: Section) {
    section.read("format", .choice(), into: &format)
    section.read("level", .choice(), into: &level)
    section.read("access", .onOff, into: &access)
  }
}
