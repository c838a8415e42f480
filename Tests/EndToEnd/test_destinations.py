"""Where connections go: the address that a name leads to is looked at before a connection is made to it."""

import json

import pytest

from harness.client import get


@pytest.mark.parametrize("addresses", [
    ["169.254.169.254"], ["169.254.1.1"], ["100.100.100.200"], ["fd00:ec2::254"], ["fe80::1"], ["224.0.0.1"],
    ["0.0.0.0"], ["::"], ["::ffff:169.254.169.254"], ["ff02::1"], ["169.254.169.254", "fe80::1"],
])
def test_a_name_that_leads_to_a_forbidden_address_is_refused(start_with_names, origin, authlib, addresses):
    proxy = start_with_names({"forward_to": f"http://rebound.example:{origin.port}"}, lead={"rebound_example": addresses})
    answer = proxy.connect().exchange(get("/api/x"))
    assert answer.status == 502
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=destination_ip_prohibited")
    problem = json.loads(answer.body)
    assert problem["hop"] == "upstream" and addresses[-1] in problem["detail"]
    assert origin.requests == []
    # 0.0.0.0 would have led to the origin.
    assert origin.connections == []


def test_a_forbidden_address_among_others_is_passed_over(start_with_names, origin):
    proxy = start_with_names({"forward_to": f"http://mixed.example:{origin.port}"},
                             lead={"mixed_example": ["169.254.169.254", "127.0.0.1"]})
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_a_host_that_the_operator_wrote_out_may_be_on_this_machine(start_with_names, origin):
    proxy = start_with_names({"forward_to": f"http://here.example:{origin.port}"}, lead={"here_example": ["127.0.0.1"]})
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_a_forbidden_token_endpoint_never_gets_the_secret(start_with_names, origin):
    proxy = start_with_names(
        {"forward_to": origin.url}, lead={"idp_example": ["169.254.169.254"]},
        credentials={"kinde": {"token_endpoint": "https://idp.example/oauth2/token", "client_id": "id",
                               "client_secret": "${CLIENT_SECRET}"}})
    answer = proxy.connect().exchange(get("/api/x"))
    assert answer.status == 503 and "169.254.169.254" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0", "[::1]"])
def test_our_own_listener_as_upstream_is_a_loop(start_with_names, origin, free_port, listen):
    proxy = start_with_names(
        {"forward_to": f"http://self.example:{free_port}/api"}, listen=["127.0.0.1:0", f"{listen}:{free_port}"],
        lead={"self_example": ["::1" if listen == "[::1]" else "127.0.0.1"]})
    answer = proxy.connect().exchange(get("/api/x"))
    assert answer.status == 508
    assert answer.proxy_status == b"m2m-proxy; error=proxy_loop_detected"
    assert json.loads(answer.body)["route"] == "api"
    # No connection was made: the only request is the client's.
    assert len(proxy.requests_logged(1)) == 1


def test_another_port_or_address_of_this_machine_is_no_loop(start_proxy, origin, free_port):
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", f"127.0.0.2:{origin.port}"])
    assert proxy.connect().exchange(get("/api/x")).status == 200
