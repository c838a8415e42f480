import Secrets
import Testing

@testable import Cryptography

@Suite("Hashes of passwords")
struct PasswordHashTests {
  /// RFC 7914 section 12, as text in the PHC string format.
  static let known =
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"

  @Test("know the password of RFC 7914, and no other")
  func knownAnswer() throws {
    let hash = try #require(PasswordHash(Self.known))
    #expect(try hash.matches(Secret("pleaseletmein")))
    for other in ["pleaseletmeiN", "pleaseletmein ", "pleaseletme", ""] {
      #expect(try !hash.matches(Secret(other)), "\(other)")
    }
    #expect(hash.text == Self.known)
    #expect(hash.cost == ScryptCost(logN: 14, r: 8, p: 1))
  }

  @Test("are made with a salt of their own, in the form in which they are read")
  func making() throws {
    let cost = try #require(ScryptCost(logN: 10, r: 8, p: 1))
    let one = try PasswordHash.make(of: Secret("pässwörd"), cost: cost)
    let other = try PasswordHash.make(of: Secret("pässwörd"), cost: cost)
    #expect(one != other)
    let read = try #require(PasswordHash(one.text))
    #expect(read == one)
    #expect(try read.matches(Secret("pässwörd")))
    #expect(try !read.matches(Secret("passwörd")))
    #expect(one.text.hasPrefix("$scrypt$ln=10,r=8,p=1$"))
    #expect(try PasswordHash.make(of: Secret("x")).cost == .usual)
  }

  @Test("for unknown users match nothing")
  func unknownUser() throws {
    let cost = try #require(ScryptCost(logN: 10, r: 8, p: 1))
    let hash = try PasswordHash.decoy(cost: cost)
    #expect(try !hash.matches(Secret("")))
    #expect(hash.cost == cost)
  }

  @Test(
    "are nothing but scrypt in the PHC string format, at a cost that can be paid",
    arguments: [
      "", "secret", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU", "$2b$12$abcdefghijklmnopqrstuv",
      "$scrypt$ln=9,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=18,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=63,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=65,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=8,p=9$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=8,p=0$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=+14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,p=1,r=8$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=8$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=8,p=1$U29k$cCO9yzr9c0hGHAbNgf046w", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9",
      "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046w",
      "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w$",
      "x$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w",
    ])
  func refused(text: String) {
    #expect(PasswordHash("$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w") != nil)
    #expect(PasswordHash(text) == nil)
  }

  @Test("show nothing of themselves")
  func redaction() throws {
    let hash = try #require(PasswordHash(Self.known))
    #expect("\(hash)" == "<redacted>" && String(reflecting: [hash]).contains("<redacted>"))
    var dumped = ""
    dump(hash, to: &dumped)
    #expect(!dumped.contains("83") && !dumped.contains("salt"))
  }

  @Test("have costs that are bounded in memory")
  func costs() {
    #expect(ScryptCost.usual.memory == 32 << 20)
    #expect(ScryptCost(logN: 17, r: 8, p: 1)?.memory == ScryptCost.mostMemory)
    #expect(ScryptCost(logN: 17, r: 9, p: 1) == nil && ScryptCost(logN: 24, r: 1, p: 1) == nil)
  }
}

@Suite("Digests under a key of this process")
struct KeyedDigestTests {
  @Test("are the same for the same bytes, and for nothing else")
  func digests() throws {
    let digest = try KeyedDigest()
    let one = Array("billing:secret".utf8)
    let other = Array("billing:secreT".utf8)
    let first = try digest.digest(of: one.span)
    #expect(try digest.digest(of: one.span) == first)
    #expect(try digest.digest(of: other.span) != first)
    #expect(try KeyedDigest().digest(of: one.span) != first)
    #expect(try Set([first, digest.digest(of: one.span)]).count == 1)
  }
}
