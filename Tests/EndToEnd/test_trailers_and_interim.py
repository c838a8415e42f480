"""Trailers both ways and interim answers."""

import threading

from harness import content
from harness.client import get


def test_trailers_of_a_request_arrive_at_the_origin(proxy, origin):
    request = get("/api/up", "Trailer: X-Checksum", "Transfer-Encoding: chunked", method="POST")
    body = content.chunked(b"abc", trailers=b"X-Checksum: 900150983c\r\nX-empty:\r\n")
    assert proxy.connect().exchange(request + body, "POST").status == 200
    assert origin.requests[0].body == b"abc"
    assert origin.requests[0].trailers == [(b"X-Checksum", b"900150983c"), (b"X-empty", b"")]


def test_trailers_of_an_answer_arrive_at_the_client(proxy, origin):
    def trailing(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + content.chunked(b"abc", trailers=b"X-Sum: 7\r\n"))
        connection.expect_close()

    origin.script(trailing)
    answer = proxy.connect().exchange(get("/api/down", "TE: trailers", "Connection: TE"))
    assert (answer.body, answer.trailers) == (b"abc", [(b"X-Sum", b"7")])


def test_a_token_cannot_be_replaced_by_a_trailer(proxy, origin, authlib):
    request = get("/api/up", "Transfer-Encoding: chunked", method="POST")
    body = content.chunked(b"abc", trailers=b"Authorization: Bearer mine\r\nContent-Length: 5\r\nX-Kept: yes\r\n")
    answer = proxy.connect().exchange(request + body, "POST")
    if answer.status == 200:
        assert origin.requests[0].trailers == [(b"X-Kept", b"yes")]
    else:
        assert answer.status == 400
    for request in origin.requests:
        assert request.value("authorization") == f"Bearer {authlib.tokens[0]}".encode()


def test_interim_answers_are_passed_on_before_the_final_one(proxy, origin):
    def hinting(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        connection.answer(b"final")
        connection.expect_close()

    origin.script(hinting)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert [each.status for each in answer.interim] == [103, 102]
    assert answer.interim[0].value("link") == b"</style.css>; rel=preload"
    assert (answer.status, answer.body) == (200, b"final")


def test_an_interim_answer_is_not_held_back_until_the_final_one(proxy, origin):
    seen = threading.Event()

    def hinting(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.hold(seen)
        connection.answer()
        connection.expect_close()

    origin.script(hinting)
    client = proxy.connect().send(get("http://api.internal/"))
    assert client.reader.head().startswith(b"HTTP/1.1 103 ")
    seen.set()
    assert client.answer().status == 200


def test_an_answer_is_not_held_back_until_its_end(proxy, origin):
    seen = threading.Event()

    def trickling(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.hold(seen)
        connection.send(b"0\r\n\r\n")
        connection.expect_close()

    origin.script(trickling)
    client = proxy.connect().send(get("http://api.internal/events"))
    assert client.head().status == 200
    assert client.body_byte_count(at_least=5) >= 5
    seen.set()
