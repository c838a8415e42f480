import Testing
import Tokens

@Suite("How long a token is valid")
struct TokenLifetimeTests {
  /// The wall clock of ``ManualClock``.
  private static let now: Int64 = 1_800_000_000
  /// The same, as a server writes it.
  private static let date = "Fri, 15 Jan 2027 08:00:00 GMT"

  private static func lifetime(_ response: TokenHTTPResponse) async -> Duration? {
    let workshop = Workshop()
    workshop.endpoint.replies(response)
    return await workshop.obtain()?.success?.lifetime
  }

  @Test(
    "an expires_in that cannot have been meant counts as none: an hour is assumed",
    arguments: [
      "1e400", "1e18", "99999999999999999999999999", "1800003600", "null", "true",
      "[]", "{}",
      #""""#, #""soon""#, #"" 60""#, #""60s""#, #""inf""#, #""nan""#, #""0x10""#,
    ])
  func oddExpiresIn(value: String) async {
    let body = #"{"access_token":"abc","token_type":"Bearer","expires_in":\#(value)}"#
    #expect(await Self.lifetime(.json(body)) == .seconds(3600))
  }

  @Test(
    "a token that is over at once is given to those that wait, and to no others",
    arguments: ["0", "-1", "-3600", "0.2", "-1e400", #""0""#, #""-60""#])
  func overAtOnce(value: String) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json(#"{"access_token":"abc","expires_in":\#(value)}"#))
    #expect(try #require(await workshop.obtain()?.success).lifetime == .zero)
    #expect(workshop.source.current() == nil)
  }

  @Test("a missing expires_in: an hour is assumed")
  func missingExpiresIn() async {
    #expect(await Self.lifetime(.json(#"{"access_token":"abc"}"#)) == .seconds(3600))
  }

  @Test(
    "a plausible expires_in is taken as it is",
    arguments: [("1", 1.0), ("86400", 86_400), (#""60""#, 60), ("59.5", 59.5), ("31622400", 31_622_400)])
  func plausibleExpiresIn(value: String, seconds: Double) async {
    #expect(await Self.lifetime(.json(#"{"access_token":"abc","expires_in":\#(value)}"#)) == .seconds(seconds))
  }

  @Test(
    "of expires_in and the JWT's exp the earlier wins where the server's Date is known; else expires_in",
    arguments: [
      (3600, 600, 600, 3600), (600, 3600, 600, 600), (nil, 7200, 7200, 7200), (0, 7200, 7200, 7200),
      (3600, 400 * 86_400, 3600, 3600), (3600, -5, 3600, 3600),
    ] as [(Int?, Int64, Int64, Int64)])
  func earlierWins(expiresIn: Int?, left: Int64, dated: Int64, undated: Int64) async {
    let token = webToken(#"{"sub":"x","aud":["a"],"exp":\#(Self.now + left)}"#)
    let member = expiresIn.map { #","expires_in":\#($0)"# } ?? ""
    let body = #"{"access_token":"\#(token)"\#(member)}"#
    #expect(await Self.lifetime(.json(body, date: Self.date)) == .seconds(dated))
    #expect(await Self.lifetime(.json(body)) == .seconds(undated))
  }

  @Test("a clock is reported once if exp and expires_in disagree by more than a minute")
  func clockRemark() async throws {
    func remarks(_ left: Int64, date: String? = nil) async throws -> [TokenRemark] {
      let workshop = Workshop()
      let token = webToken(#"{"exp":\#(Self.now + left)}"#)
      workshop.endpoint.replies(.json(#"{"access_token":"\#(token)","expires_in":3600}"#, date: date))
      return try #require(await workshop.obtain()?.success).remarks
    }
    #expect(try await remarks(3600) == [])
    #expect(try await remarks(3660) == [])
    #expect(try await remarks(3661) == [.clock(seconds: 61)])
    #expect(try await remarks(-3600) == [.clock(seconds: -7201)])
    // By the server's own clock the token ends sooner than it says: that is no matter of a clock.
    #expect(try await remarks(600, date: Self.date) == [])
    #expect(try await remarks(-3600, date: Self.date) == [.clock(seconds: -7201)])
  }

  @Test("without expires_in and Date, the claims iat and exp say how long, whatever this machine's clock says")
  func claimsAlone() async throws {
    let workshop = Workshop()
    let token = webToken(#"{"iat":\#(Self.now - 9000),"exp":\#(Self.now - 7200)}"#)
    workshop.endpoint.replies(.json(#"{"access_token":"\#(token)"}"#))
    let fetched = try #require(await workshop.obtain()?.success)
    #expect(fetched.lifetime == .seconds(1800))
    #expect(fetched.remarks == [.clock(seconds: -9001)])
  }

  @Test(
    "dates in a JWT that no calendar has count as none",
    arguments: ["1e400", "1e300", "18446744073709551615", "9223372036854775808", "-1e400", "-1e300", "-5"],
    [true, false])
  func absurdClaims(number: String, isDated: Bool) async throws {
    for claims in [#"{"exp":\#(number)}"#, #"{"exp":\#(number),"iat":\#(number)}"#, #"{"iat":\#(number)}"#] {
      // One that lies before all time is over, where nothing else is said.
      for member in number.hasPrefix("-") ? [#","expires_in":3600"#] : ["", #","expires_in":3600"#] {
        let workshop = Workshop()
        let body = #"{"access_token":"\#(webToken(claims))"\#(member)}"#
        workshop.endpoint.replies(.json(body, date: isDated ? Self.date : nil))
        #expect(try #require(await workshop.obtain()?.success).lifetime == .seconds(3600))
      }
    }
  }

  @Test("a long token is logged", arguments: [(8192, false), (8193, true), (32_768, true)])
  func longToken(bytes: Int, isLong: Bool) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(String(repeating: "x", count: bytes)))
    #expect(try #require(await workshop.obtain()?.success).remarks == (isLong ? [.longToken(bytes: bytes)] : []))
  }

  @Test(
    "a JWT that may have a second less than it says is used as if it had", arguments: [(2, 1), (3, 2), (4, 4), (5, 5)])
  func wholeSeconds(left: Int64, expected: Int64) async {
    let token = webToken(#"{"exp":\#(Self.now + left)}"#)
    let body = #"{"access_token":"\#(token)","expires_in":60}"#
    #expect(await Self.lifetime(.json(body, date: Self.date)) == .seconds(expected))
  }

  @Test("a JWT that may already have expired is not used; it is tried where only this machine's clock says so")
  func maybeExpired() async {
    let body = #"{"access_token":"\#(webToken(#"{"exp":\#(Self.now + 1)}"#))"}"#
    #expect(await Self.lifetime(.json(body, date: Self.date)) == nil)
    #expect(await Self.lifetime(.json(body)) == .zero)
  }

  @Test("exp is measured by the server's clock when the reply has a Date")
  func serverClock() async {
    let token = webToken(#"{"exp":784111777}"#)
    let body = #"{"access_token":"\#(token)","expires_in":3600}"#
    #expect(await Self.lifetime(.json(body, date: "Sun, 06 Nov 1994 08:39:37 GMT")) == .seconds(600))
    #expect(await Self.lifetime(.json(body, date: "yesterday")) == .seconds(3600))
  }

  @Test("a JWT that has expired is refused, and not asked for in a loop")
  func expiredToken() async throws {
    let workshop = Workshop()
    let body = #"{"access_token":"\#(webToken(#"{"exp":\#(Self.now - 5)}"#))"}"#
    workshop.endpoint.replies(.json(body, date: Self.date))
    let failure = try #require(await workshop.obtain()?.failure)
    #expect(failure.cause == .malformed(.expiredToken))
    #expect(workshop.endpoint.requests.count == 1)
    #expect(await workshop.obtain()?.failure?.cause == .backingOff(after: .malformed(.expiredToken)))
    #expect(workshop.endpoint.requests.count == 1)
  }

  @Test(
    "a token that only looks like a JWT is good for what expires_in says",
    arguments: [
      "a.b.c", "..", "a.!.c", "a.e30.c", webToken(#"{"exp":"soon"}"#), webToken(#"{"exp":1,"exp":2}"#), "a.b.c.d.e",
    ])
  func noWebToken(token: String) async {
    #expect(await Self.lifetime(.token(token, expiresIn: 120)) == .seconds(120))
  }

  @Test(
    "a token is used until 10 s, or a quarter of a short lifetime, before it expires",
    arguments: [(3600, 3590.0), (40, 30), (20, 15), (4, 3), (1, 0.75)])
  func hardExpiry(lifetime: Int, usable: Double) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(expiresIn: lifetime))
    let token = try #require(await workshop.obtain()?.success)
    workshop.clock.advance(by: .seconds(usable) - .nanoseconds(1))
    #expect(workshop.source.current() === token)
    workshop.clock.advance(by: .nanoseconds(1))
    #expect(workshop.source.current() == nil)
  }

  @Test("the time that the reply took counts as part of the lifetime")
  func slowReply() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(expiresIn: 60)) { workshop.clock.advance(by: .seconds(9)) }
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(41) - .nanoseconds(1))
    #expect(workshop.source.current() != nil)
    workshop.clock.advance(by: .nanoseconds(1))
    #expect(workshop.source.current() == nil)
  }

  @Test("a token that is about to end, or has ended on its way, is given to those that wait, and to no others")
  func expiredOnTheWay() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(expiresIn: 4)) { workshop.clock.advance(by: .seconds(3)) }
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.source.current() == nil)
  }
}
