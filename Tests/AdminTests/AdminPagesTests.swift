import HTTPService
import Testing

@testable import Admin

@Suite("The admin listener")
struct AdminPagesTests {
  private let pages = AdminPages(isDraining: { false })

  @Test("is healthy while the proxy serves")
  func healthy() {
    let answer = answer(ServiceRequest(method: "GET", path: "/healthz"), pages)
    #expect(answer.status == 200)
    #expect(text(answer) == "ok\n")
  }

  @Test("is not healthy while the proxy drains")
  func draining() {
    let pages = AdminPages(isDraining: { true })
    let answer = answer(ServiceRequest(method: "GET", path: "/healthz", query: "verbose"), pages)
    #expect(answer.status == 503)
    #expect(text(answer) == "draining\n")
  }

  @Test("gives the metrics as Prometheus reads them")
  func metrics() {
    let answer = answer(ServiceRequest(method: "GET", path: "/metrics"), pages)
    #expect(answer.fields.first == ServiceField("Content-Type", "text/plain; version=0.0.4; charset=utf-8"))
    #expect(text(answer) == "requests_total 7\n")
  }

  @Test("lists what there is, at / and for what there is not")
  func index() {
    for (path, status) in [("/", 200), ("/nothing", 404)] {
      let answer = answer(ServiceRequest(method: "GET", path: path), pages)
      #expect(answer.status == status)
      #expect(text(answer).contains("GET /healthz"))
      #expect(text(answer).contains("GET /metrics"))
    }
  }

  @Test("takes GET and HEAD alone", arguments: ["POST", "PUT", "DELETE", "TRACE", "get"])
  func methods(method: String) {
    let answer = answer(ServiceRequest(method: method, path: "/metrics"), pages)
    #expect(answer.status == 405)
    #expect(answer.fields.contains(ServiceField("Allow", "GET, HEAD")))
    #expect(!text(answer).contains("requests_total"))
  }

  @Test("serves HEAD like GET")
  func head() {
    let head = answer(ServiceRequest(method: "HEAD", path: "/healthz"), pages)
    #expect(answer(ServiceRequest(method: "GET", path: "/healthz"), pages) == head)
  }

  private func answer(_ request: ServiceRequest, _ pages: AdminPages) -> ServiceResponse {
    pages.answer(request) { Array("requests_total 7\n".utf8) }
  }

  private func text(_ response: ServiceResponse) -> String {
    String(decoding: response.body, as: UTF8.self)
  }
}
