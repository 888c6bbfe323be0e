from __future__ import annotations

import ipaddress

import pytest

from protocol.guard import Guard, Reach, reach, reach_of_host

OWN = Guard(frozenset({("127.0.0.1", 5432), ("10.0.0.5", 6379), ("postgres", 5432)}))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", Reach.PUBLIC),
        ("2606:2800:220:1:248:1893:25c8:1946", Reach.PUBLIC),
        ("10.1.2.3", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fd12::1", Reach.PRIVATE),
        ("127.8.9.1", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("64:ff9b::7f00:1", Reach.LOOPBACK),
        ("64:ff9b::a00:1", Reach.PRIVATE),
        ("2002:7f00:1::", Reach.LOOPBACK),
        ("2002:a00:1::", Reach.PRIVATE),
    ],
)
def test_an_address_lies_as_deep_as_the_one_inside_it(address: str, expected: Reach) -> None:
    assert reach(ipaddress.ip_address(address)) is expected


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "0.0.0.0",  # noqa: S104 (an address to refuse, nothing is bound)
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
    ],
)
def test_special_addresses_are_refused_to_everybody(address: str) -> None:
    assert Guard().refusal(ipaddress.ip_address(address), 443, Reach.LOOPBACK) is not None
    assert Guard().host_refusal(address, 443, Reach.LOOPBACK) is not None


def test_nobody_is_led_deeper_than_the_registry_lies() -> None:
    private, loopback = ipaddress.ip_address("10.1.1.1"), ipaddress.ip_address("127.0.0.1")
    assert Guard().refusal(private, 443, Reach.PUBLIC) is not None
    assert Guard().refusal(private, 443, Reach.PRIVATE) is None
    assert Guard().refusal(loopback, 443, Reach.PRIVATE) is not None
    assert Guard().refusal(loopback, 443, Reach.LOOPBACK) is None
    assert Guard().host_refusal("localhost", 443, Reach.PUBLIC) is not None


def test_our_own_servers_are_refused_by_address_port_and_name() -> None:
    assert "belongs to this installation" in str(
        OWN.refusal(ipaddress.ip_address("127.0.0.1"), 5432, Reach.LOOPBACK)
    )
    assert OWN.refusal(ipaddress.ip_address("::ffff:127.0.0.1"), 5432, Reach.LOOPBACK)
    assert OWN.refusal(ipaddress.ip_address("10.0.0.5"), 6379, Reach.LOOPBACK)
    assert OWN.host_refusal("postgres", 5432, Reach.LOOPBACK)
    assert OWN.refusal(ipaddress.ip_address("127.0.0.1"), 5000, Reach.LOOPBACK) is None
    assert OWN.ports_on_this_machine() == {5432}
    assert OWN.names() == (("postgres", 5432),)


def test_a_name_counts_as_public_until_it_is_connected() -> None:
    assert reach_of_host("registry.corp") is Reach.PUBLIC
    assert Guard().host_refusal("registry.corp", 443, Reach.PUBLIC) is None


NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)


def test_an_opened_network_may_be_reached_however_deep_it_lies() -> None:
    opened = Guard(OWN.forbidden, NETWORKS)
    loopback = ipaddress.ip_address("127.0.0.1")
    assert OWN.refusal(loopback, 80, Reach.PRIVATE) is not None
    assert opened.refusal(loopback, 80, Reach.PRIVATE) is None
    assert opened.host_refusal("localhost", 80, Reach.PRIVATE) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1"])
def test_an_opened_network_opens_nothing_of_ours_and_nothing_beside_it(address: str) -> None:
    opened = Guard(OWN.forbidden, NETWORKS)
    port = 6379 if address == "10.0.0.5" else 5432
    assert opened.refusal(ipaddress.ip_address(address), port, Reach.PRIVATE) is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_who_is_refused_for_its_depth_is_told_which_setting_opens_it(host: str) -> None:
    guard = Guard(opened_by="OPENED_NETWORKS")
    assert guard.host_refusal(host, 443, Reach.PRIVATE) == (
        f"{host} is a loopback address, which may not be reached from here; "
        "to allow it, add its network to OPENED_NETWORKS"
    )


@pytest.mark.parametrize("host", ["169.254.169.254", "224.0.0.1", "10.0.0.5"])
def test_what_no_setting_opens_is_refused_without_naming_one(host: str) -> None:
    guard = Guard(frozenset({("10.0.0.5", 443)}), opened_by="OPENED_NETWORKS")
    reason = guard.host_refusal(host, 443, Reach.PRIVATE)
    assert reason is not None
    assert "OPENED_NETWORKS" not in reason
