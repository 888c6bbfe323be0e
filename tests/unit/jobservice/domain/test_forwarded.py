from __future__ import annotations

from ipaddress import ip_network

import pytest

from jobservice.domain import forwarded
from jobservice.domain.forwarded import Origin

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
CLIENT = "198.51.100.7"


def of(peer: str, **headers: str | list[str]) -> Origin:
    named = {
        name.replace("_", "-"): [value] if isinstance(value, str) else value
        for name, value in headers.items()
    }
    return forwarded.origin(peer, named, TRUSTED)


def test_whoever_is_not_trusted_is_not_believed() -> None:
    spoofed = of(
        "203.0.113.5",
        x_forwarded_for="10.0.0.1",
        x_forwarded_proto="https",
        x_forwarded_host="evil.example",
        forwarded="for=10.0.0.1;proto=https",
    )
    assert spoofed == Origin(address="203.0.113.5")
    assert of("", x_forwarded_for="10.0.0.1") == Origin(address="")


def test_a_trusted_proxy_tells_client_scheme_and_host() -> None:
    told = of(
        "10.1.1.1",
        x_forwarded_for=CLIENT,
        x_forwarded_proto="https",
        x_forwarded_host="r.example:8443",
    )
    assert told == Origin(address=CLIENT, scheme="https", host="r.example:8443")
    assert of("::ffff:10.1.1.1", x_forwarded_for=CLIENT).address == CLIENT
    assert of("fd00::1", x_forwarded_for="2001:db8::9").address == "2001:db8::9"


def test_what_a_client_wrote_itself_stands_left_of_what_the_proxy_saw() -> None:
    assert of("10.1.1.1", x_forwarded_for=f"10.9.9.9, {CLIENT}").address == CLIENT
    assert of("10.1.1.1", x_forwarded_for=["10.9.9.9", CLIENT]).address == CLIENT
    assert of("10.1.1.1", x_forwarded_for=f"nonsense, {CLIENT}").address == CLIENT


def test_of_several_trusted_proxies_the_outermost_counts() -> None:
    told = of("10.1.1.1", x_forwarded_for=f"{CLIENT}, 10.2.2.2", x_forwarded_proto="https, http")
    assert told == Origin(address=CLIENT, scheme="https")
    spoofed = of(
        "10.1.1.1",
        x_forwarded_for=f"10.3.3.3, {CLIENT}, 10.2.2.2",
        x_forwarded_proto="http, https, http",
    )
    assert spoofed == Origin(address=CLIENT, scheme="https")


def test_an_unreadable_address_stops_at_the_proxy_that_wrote_it() -> None:
    assert of("10.1.1.1", x_forwarded_for=f"{CLIENT}, unknown").address == "10.1.1.1"
    assert of("10.1.1.1", x_forwarded_for=f"{CLIENT}, , 10.2.2.2").address == "10.2.2.2"


def test_everybody_may_be_inside() -> None:
    assert of("10.1.1.1", x_forwarded_for="10.4.4.4, 10.2.2.2").address == "10.4.4.4"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("198.51.100.7:4711", CLIENT),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("::ffff:198.51.100.7", CLIENT),
    ],
)
def test_addresses_are_read_with_and_without_ports(written: str, address: str) -> None:
    assert of("10.1.1.1", x_forwarded_for=written).address == address


@pytest.mark.parametrize("host", ["r.example/path", "user@r.example", "a b", "", "r.example:x"])
def test_what_is_no_host_is_left_out(host: str) -> None:
    assert of("10.1.1.1", x_forwarded_host=host).host is None


def test_what_is_no_scheme_is_left_out() -> None:
    assert of("10.1.1.1", x_forwarded_proto="javascript").scheme is None
    assert of("10.1.1.1", x_forwarded_proto="HTTPS").scheme == "https"


def test_forwarded_is_understood() -> None:
    told = of(
        "10.1.1.1",
        forwarded='For="[2001:db8::9]:4711";proto=https;host="r.example:8443";by=10.1.1.1',
    )
    assert told == Origin(address="2001:db8::9", scheme="https", host="r.example:8443")


def test_forwarded_of_two_proxies_counts_from_the_right() -> None:
    told = of("10.1.1.1", forwarded=["for=10.9.9.9", f"for={CLIENT};proto=https, for=10.2.2.2"])
    assert told == Origin(address=CLIENT, scheme="https")
    assert of("10.1.1.1", forwarded="for=_hidden").address == "10.1.1.1"
    assert of("10.1.1.1", forwarded='for="198.51.100\\.7"').address == CLIENT


@pytest.mark.parametrize("value", ["", ";", 'for="open', "for=a b", "= ="])
def test_a_malformed_forwarded_says_nothing(value: str) -> None:
    assert of("10.1.1.1", forwarded=value) == Origin(address="10.1.1.1")


def test_a_proxy_that_sets_x_forwarded_passes_a_clients_forwarded_on_in_vain() -> None:
    told = of("10.1.1.1", x_forwarded_for=CLIENT, forwarded="for=192.0.2.66;proto=https")
    assert told == Origin(address=CLIENT)
