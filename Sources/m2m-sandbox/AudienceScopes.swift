internal import ArgumentParser

/// An audience with scopes, as the command line has them: `audience=scope,scope`.
struct AudienceScopes: ExpressibleByArgument {
  let audience: String
  let scopes: [String]

  init(audience: String, scopes: [String]) {
    self.audience = audience
    self.scopes = scopes
  }

  init?(argument: String) {
    // The last one: an audience may be a URL with a query.
    guard let equals = argument.lastIndex(of: "="), equals != argument.startIndex else { return nil }
    audience = String(argument[..<equals])
    scopes = argument[argument.index(after: equals)...].split(separator: ",").map(String.init)
  }

  var defaultValueDescription: String { "\(audience)=\(scopes.joined(separator: ","))" }
}
