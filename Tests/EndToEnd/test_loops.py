"""Requests that come back to the proxy that sent them."""

import json

from harness.client import get


def test_a_chain_of_two_proxies_is_no_loop(start_proxy, origin):
    inner = start_proxy({"forward_to": origin.url})
    outer = start_proxy({"forward_to": f"{inner.url}/api"})
    assert outer.connect().exchange(get("/api/x")).status == 200
    names = [part.split()[1] for value in origin.requests[0].values("via") for part in value.split(b",")]
    assert len(names) == 2 and names[0] != names[1]
    assert all(name.startswith(b"m2m-proxy-") for name in names)


def test_a_request_that_returns_through_another_proxy_is_rejected(start_proxy, origin, free_port):
    first = start_proxy({"forward_to": f"http://127.0.0.1:{free_port}/api"})
    second = start_proxy({"forward_to": f"{first.url}/api"}, listen=[f"127.0.0.1:{free_port}"])
    answer = first.connect().exchange(get("/api/x"))
    assert answer.status == 508
    problem = json.loads(answer.body)
    assert problem["hop"] == "policy" and "forward_to" in problem["hint"]
    # Once round, and no further.
    assert len(first.requests_logged(2)) == 2 and len(second.requests_logged(1)) == 1


def test_our_own_name_in_via_is_found_wherever_it_stands(proxy, origin):
    client = proxy.connect()
    assert client.exchange(get("/api/x", "Via: 1.1 m2m-proxy, 1.0 m2m-proxy-00000000")).status == 200
    own = origin.requests[0].values("via")[-1].split()[-1].decode()
    for fields in [[f"Via: 1.1 {own}"], [f"via: 1.0 fred, HTTP/1.1 {own.upper()} (comment), 1.1 p.example"],
                   ["Via: 1.1 a", f"Via: 1.1 {own}", "Via: 1.1 b"], [f"Via: 1.1 {own}", "Connection: Via"]]:
        answer = client.exchange(get("/api/x", *fields))
        assert (answer.status, answer.reason) == (508, b"Loop Detected")
        assert answer.proxy_status == b"m2m-proxy; error=proxy_loop_detected"
    assert len(origin.requests) == 1
