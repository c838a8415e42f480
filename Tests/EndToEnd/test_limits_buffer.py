"""The size of the buffers that content goes through."""

import os

import pytest

from harness.client import get, post


@pytest.mark.parametrize("size, limits", [("16KB", {"head": "1KB", "response_head": "1KB"}), ("16KB", {}), ("1MB", {})])
def test_content_and_heads_pass_whole_through_buffers_of_every_size(start_proxy, origin, size, limits):
    content = os.urandom(3 << 20)

    def echo(connection):
        while not connection.at_end():
            request = connection.request()
            connection.answer(request.body, "200 OK", "X: " + "y" * 900)

    origin.otherwise = echo
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"buffer": size, **limits})
    client = proxy.connect()
    # As little of it as a head may have, and as much as the smallest of these limits lets it have.
    for field in ["X: y", "X: " + "y" * 900]:
        answer = client.exchange(post("http://api.internal/x", content, field), "POST")
        assert (answer.status, answer.body) == (200, content)
    assert client.exchange(get("http://api.internal/x")).status == 200


def test_the_largest_heads_fit_whatever_the_buffers(start_proxy, origin):
    large = {"head": "48KB", "response_head": "48KB", "request_line": "48KB"}

    def answer(connection):
        connection.request()
        connection.answer(b"ok", "200 OK", "X: " + "y" * 48_000)

    origin.otherwise = answer
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"buffer": "16KB", **large})
    answer = proxy.connect().exchange(get("http://api.internal/x", "X: " + "y" * 48_000))
    assert (answer.status, answer.value("x")) == (200, b"y" * 48_000)
