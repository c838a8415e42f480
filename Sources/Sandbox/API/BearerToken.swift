internal import HTTPService

/// What a request has in its Authorization field, judged by the issuer's key alone (RFC 6750 2.1).
enum BearerToken {
  /// There is none, or it is of another scheme.
  case missing
  /// There is more than one Authorization field.
  case repeated
  /// It is no good, whatever it is for.
  case invalid(TokenFault)
  /// It is valid, with so many seconds left; whether it is for this API is for the API to say.
  case valid(TokenClaims, secondsLeft: Int)

  /// - Parameter now: seconds since 1970.
  init(of request: ServiceRequest, _ mint: TokenMint, now: Int) {
    let values = request.values(of: "authorization")
    guard let value = values.first else {
      self = .missing
      return
    }
    guard values.count == 1 else {
      self = .repeated
      return
    }
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else {
      self = .missing
      return
    }
    do throws(TokenFault) {
      let claims = try mint.check(String(parts[1].trimmingPrefix { $0 == " " }), now: now)
      self = .valid(claims, secondsLeft: claims.exp - now)
    } catch {
      self = .invalid(error)
    }
  }

  /// The value of the field, cut short, and what the token says.
  func summary(of value: String) -> String {
    let short = value.count > 24 ? value.prefix(17) + "…" : value[...]
    return switch self {
    case .missing, .repeated: "\(short)"
    case .invalid(let fault): "\(short) (\(fault.description))"
    case .valid(let claims, let seconds):
      "\(short) (aud \(claims.aud.joined(separator: ", ")), scope \(claims.scope.isEmpty ? "-" : claims.scope), \(seconds) s)"
    }
  }
}
