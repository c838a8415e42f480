import COpenSSL
import Cryptography
import Foundation
import Locks
import Testing

@testable import Interception

@Suite("Certificates for hosts")
struct LeafCertificatesTests {
  private let clock = SettableClock()

  private func leaves(
    _ authority: CertificateAuthority, days: Int64 = 7, capacity: Int = 1000
  ) throws -> LeafCertificates {
    try LeafCertificates(authority, lifetime: .seconds(days * day), capacity: capacity) { [clock] in clock.now }
  }

  @Test("are made once, whatever way the host is written in")
  func cached() throws {
    let authority = try authority(["a.example", "::1"])
    let leaves = try leaves(authority)
    #expect(leaves.cached(for: "a.example") == nil)
    let first = try leaves.mint(for: "a.example")
    #expect(leaves.cached(for: "a.example") === first && leaves.cached(for: "A.example.") === first)
    #expect(try leaves.mint(for: "A.EXAMPLE") === first)
    #expect(Verifier.result(first, for: "a.example", trusting: authority.root!, at: noon) == X509_V_OK)
    #expect(Verifier.chainLength(first) == 1, "the root is nothing to send")
    let address = try leaves.mint(for: "::1")
    #expect(Verifier.result(address, for: "::1", trusting: authority.root!, at: noon) == X509_V_OK)
  }

  @Test("are made once when many threads ask at the same time, and each of them gets it")
  func threads() throws {
    let leaves = try leaves(authority(nil))
    let found = Monitor<[TLSServerContext]>([])
    DispatchQueue.concurrentPerform(iterations: 16) { index in
      guard let context = try? leaves.mint(for: index.isMultiple(of: 2) ? "a.example" : "b.example") else { return }
      found.withLock { $0.append(context) }
    }
    let contexts = found.withLock { $0 }
    #expect(contexts.count == 16 && Set(contexts.map(ObjectIdentifier.init)).count == 2)
  }

  @Test("are not made for what the authority must not sign, or for what is not a host; the error says how to fix it")
  func refused() throws {
    let leaves = try leaves(authority(["a.example"]))
    let error = #expect(throws: LeafError.self) { try leaves.mint(for: "b.example") }
    #expect(error == .outOfScope("b.example"))
    #expect(error?.description.contains("do not permit b.example; \"m2m-proxy ca init --force\"") == true)
    #expect(leaves.cached(for: "b.example") == nil)
    #expect(throws: LeafError.noHost("a,b")) { try leaves.mint(for: "a,b") }
    // A refusal leaves nothing behind that the next one would wait for.
    #expect(throws: LeafError.outOfScope("b.example")) { try leaves.mint(for: "b.example") }
  }

  @Test("are valid from some hours before they were made, for slow clocks, and for the configured time")
  func validity() throws {
    let authority = try authority(nil, from: noon - 30 * day)
    let leaf = Verifier.leaf(try leaves(authority).mint(for: "a.example"))
    #expect(leaf.notBefore == noon - 6 * 3600 && leaf.notAfter == noon + 7 * day)
    let longest = Verifier.leaf(try leaves(authority, days: 500).mint(for: "a.example"))
    #expect(longest.notAfter - longest.notBefore == 397 * day)
  }

  @Test("are never valid when the authority is not")
  func withinAuthority() throws {
    let authority = try authority(nil, lifetime: 3 * day)
    let leaves = try leaves(authority)
    clock.now = noon - 3600
    let leaf = Verifier.leaf(try leaves.mint(for: "a.example"))
    #expect(leaf.notBefore == authority.notBefore && leaf.notAfter == authority.notAfter)
    for time in [authority.notAfter, authority.notBefore - 1] {
      clock.now = time
      #expect(throws: LeafError.authorityNotValid(until: "2026-11-30")) { try leaves.mint(for: "b.example") }
    }
  }

  @Test("are made anew when two thirds of their time are over, and when the clock was set back before it")
  func renewal() throws {
    let leaves = try leaves(authority(nil), days: 30)
    let first = try leaves.mint(for: "a.example")
    clock.now = noon + 20 * day - 1
    #expect(leaves.cached(for: "a.example") === first)
    clock.now = noon + 20 * day
    #expect(leaves.cached(for: "a.example") == nil)
    let second = try leaves.mint(for: "a.example")
    #expect(second !== first && Verifier.leaf(second).notAfter == noon + 50 * day)
    clock.now = noon
    #expect(leaves.cached(for: "a.example") == nil)
    #expect(Verifier.leaf(try leaves.mint(for: "a.example")).notAfter == noon + 30 * day)
  }

  @Test("are made anew by another authority")
  func otherAuthority() throws {
    let (old, new) = (try authority(nil), try authority(nil))
    let leaves = try leaves(old)
    _ = try leaves.mint(for: "a.example")
    try leaves.use(new)
    #expect(leaves.cached(for: "a.example") == nil)
    let leaf = try leaves.mint(for: "a.example")
    #expect(Verifier.result(leaf, for: "a.example", trusting: new.root!, at: noon) == X509_V_OK)
    #expect(Verifier.result(leaf, for: "a.example", trusting: old.root!, at: noon) != X509_V_OK)
  }

  @Test("are kept up to a number; that which was not asked for for longest gives way")
  func capacity() throws {
    let leaves = try leaves(authority(nil), capacity: 2)
    for host in ["a", "b"] { _ = try leaves.mint(for: host) }
    #expect(leaves.cached(for: "a") != nil)
    _ = try leaves.mint(for: "c")
    #expect(leaves.cached(for: "b") == nil && leaves.cached(for: "a") != nil && leaves.cached(for: "c") != nil)
  }
}
