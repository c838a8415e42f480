import Secrets

extension TokenReplyReader {
  /// The refusal of a reply with an error status, whatever its body.
  func refusal() -> OAuthRefusal {
    response.body.withBytes { body in
      guard !response.bodyWasCut else { return refusalWithoutCode }
      do {
        return refusal(try JSONObject(body), body)
      } catch {
        // Not every refusal comes from an OAuth server; the status is then all there is to tell.
        return refusalWithoutCode
      }
    }
  }

  /// The refusal that `members` of `body` tell of.
  func refusal(_ members: JSONObject, _ body: Span<UInt8>) -> OAuthRefusal {
    guard let reported = printable(members["error"], body) else { return refusalWithoutCode }
    return OAuthRefusal(
      code: OAuthErrorCode(rawValue: reported) ?? .other, reportedCode: reported,
      description: printable(members["error_description"], body), status: response.status)
  }

  private var refusalWithoutCode: OAuthRefusal {
    OAuthRefusal(code: .other, reportedCode: nil, description: nil, status: response.status)
  }

  private func printable(_ value: JSONObject.Value?, _ body: Span<UInt8>) -> String? {
    guard case .string(let range) = value else { return nil }
    var text: [UInt8] = []
    JSONText.unescape(body.extracting(range)) { text.append($0) }
    guard !repeatsSecret(text) else { return nil }
    let cleaned = PrintableText.cleaned(text)
    return cleaned.isEmpty ? nil : cleaned
  }

  /// Whether `text` holds the client's secret in any form in which it was sent.
  private func repeatsSecret(_ text: [UInt8]) -> Bool {
    [grant.clientSecret, grant.formEncodedSecret(), grant.basicCredentials(prefix: "")].contains { secret in
      secret.withBytes { secret in
        secret.count > 0 && text.count >= secret.count
          && (0...(text.count - secret.count)).contains { start in
            secret.indices.allSatisfy { secret[$0] == text[start + $0] }
          }
      }
    }
  }
}
