from __future__ import annotations

from pathlib import Path

import pytest

from protocol.surroundings import Proxies, Surroundings

HOME = Path("/home/me")


def test_an_empty_environment_knows_the_usual_places() -> None:
    around = Surroundings.of({}, home=HOME, user_id=1000)
    assert around.proxies == Proxies()
    assert [str(path) for path in around.auth_files] == [
        "/run/containers/1000/auth.json",
        "/home/me/.config/containers/auth.json",
        "/home/me/.docker/config.json",
    ]
    assert Path("/etc/docker/certs.d") in around.certificate_directories
    assert around.ca_name() == "the system's CA certificates"


def test_the_environment_moves_them() -> None:
    around = Surroundings.of(
        {"XDG_RUNTIME_DIR": "/run/user/7", "DOCKER_CONFIG": "/d", "SSL_CERT_FILE": "/ca.pem"},
        home=HOME,
    )
    assert around.auth_files[0] == Path("/run/user/7/containers/auth.json")
    assert around.auth_files[-1] == Path("/d/config.json")
    assert around.ca_name() == "/ca.pem"


def test_registry_auth_file_is_then_the_only_one() -> None:
    around = Surroundings.of({"REGISTRY_AUTH_FILE": "/my/auth.json"}, home=HOME)
    assert around.auth_files == (Path("/my/auth.json"),)


def test_the_environment_is_not_shown() -> None:
    assert "hunter2" not in repr(Surroundings.of({"AWS_SECRET": "hunter2"}, home=HOME))


def test_proxies_come_in_either_case_and_by_scheme() -> None:
    around = Surroundings.of(
        {"https_proxy": "proxy.test:3128", "HTTP_PROXY": "http://p"}, home=HOME
    )
    assert around.proxies.for_host("https", "reg.test", 443) == "http://proxy.test:3128"
    assert around.proxies.for_host("http", "reg.test", 80) == "http://p"


@pytest.mark.parametrize(
    ("entry", "host", "port", "exempt"),
    [
        ("*", "reg.test", 443, True),
        ("reg.test", "reg.test", 443, True),
        ("reg.test", "a.reg.test", 443, True),
        (".reg.test", "a.reg.test", 443, True),
        (".reg.test", "reg.test", 443, False),
        ("*.reg.test", "a.reg.test", 443, True),
        ("reg.test", "notreg.test", 443, False),
        ("reg.test:5000", "reg.test", 5000, True),
        ("reg.test:5000", "reg.test", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "reg.test", 443, False),
        ("10.0.0.0/nonsense", "10.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("fd00::/8", "fd00::5", 443, True),
        ("fd00::5", "fd00::5", 443, True),
        ("REG.test", "reg.TEST", 443, True),
    ],
)
def test_no_proxy_knows_names_suffixes_ports_and_networks(
    entry: str, host: str, port: int, *, exempt: bool
) -> None:
    proxies = Proxies(https="http://p", exempt=(entry,))
    assert (proxies.for_host("https", host, port) is None) is exempt


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "a.localhost"])
def test_loopback_never_goes_by_proxy(host: str) -> None:
    assert Proxies(https="http://p").for_host("https", host, 443) is None
