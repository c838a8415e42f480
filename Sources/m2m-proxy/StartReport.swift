internal import Configuration
internal import ProxyCore

/// What a person sees when the proxy starts: what is bound, what goes where, and what they should look at.
struct StartReport {
  let text: String

  init(_ loaded: LoadedConfiguration, _ proxy: Proxy, _ authority: InterceptionAuthority?) {
    let configuration = loaded.configuration
    let loops = proxy.loopCount == 1 ? "1 loop" : "\(proxy.loopCount) loops"
    var lines = ["m2m-proxy \(M2MProxy.version) · \(loaded.path) · \(loops)"]
    lines += proxy.listeners.map { "listen   \($0)" }
    if let admin = proxy.adminAddress { lines.append("admin    http://\(admin)   health, metrics") }
    lines.append("memory   \(proxy.memoryBound)")
    if let store = configuration.tokenStore { lines.append("tokens   \(store.directory)   encrypted, shared") }
    if let authority { lines.append(authority.line) }
    lines.append(RouteReport(configuration).text)
    let warnings = (configuration.warnings + (authority?.warnings ?? [])).map(\.description) + proxy.warnings
    lines += warnings.map { "warning  \($0)" }
    text = lines.joined(separator: "\n")
  }
}
