from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config import errors, settings


def problems(environment: dict[str, str], **arguments: object) -> str:
    with pytest.raises(errors.InvalidSettings) as caught:
        settings.load(environment, overrides=arguments)
    return str(caught.value)


def test_without_anything_the_defaults_stand() -> None:
    loaded = settings.load({})
    assert loaded.listener == settings.Listener(host="127.0.0.1", port=8080)
    assert loaded.postgres_dsn is None


def test_every_setting_has_a_default_in_the_file_or_is_a_secret() -> None:
    defaults = tomllib.loads(settings.DEFAULTS.read_text())
    assert set(defaults) == set(settings.Settings.model_fields) - set(settings.SECRETS)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "transship.toml"
    file.write_text('zone = "file"\nlisten = "127.0.0.1:1"\nworker_slots = 3\n')
    environment = {"TRANSSHIP_LISTEN": "127.0.0.1:2", "TRANSSHIP_WORKER_SLOTS": "4"}
    loaded = settings.load(environment, file=file, overrides={"worker_slots": 5, "zone": None})
    assert (loaded.zone, loaded.listen, loaded.worker_slots) == ("file", "127.0.0.1:2", 5)


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "transship.toml"
    file.write_text('zone = "dmz"\n')
    assert settings.load({"TRANSSHIP_CONFIG": str(file)}).zone == "dmz"


def test_an_unknown_key_in_a_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "transship.toml"
    file.write_text('lisen = "127.0.0.1:1"\nnonsense = 1\n')
    with pytest.raises(errors.InvalidSettings) as caught:
        settings.load({}, file=file)
    first, second = str(caught.value).splitlines()
    assert "'lisen'; did you mean listen?" in first
    assert "'nonsense'" in second


@pytest.mark.parametrize("content", ["not toml", None])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "transship.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(errors.InvalidSettings, match=r"transship\.toml"):
        settings.load({}, file=file)


def test_an_unknown_variable_is_a_warning_with_the_nearest_name() -> None:
    [sentence] = settings.warnings({"TRANSSHIP_POSTGRES_DNS": "x", "PATH": "/bin"})
    assert "TRANSSHIP_POSTGRES_DNS" in sentence
    assert "did you mean postgres_dsn?" in sentence


def test_service_links_of_kubernetes_are_ignored() -> None:
    links = {
        "TRANSSHIP_PORT": "tcp://10.0.0.1:80",
        "TRANSSHIP_PORT_80_TCP_ADDR": "10.0.0.1",
        "TRANSSHIP_SERVICE_HOST": "10.0.0.1",
        "TRANSSHIP_SERVICE_PORT_HTTP": "80",
        "TRANSSHIP_VALKEY_SERVICE_HOST": "10.0.0.2",
    }
    assert settings.warnings(links) == []
    assert settings.load(links) == settings.load({})


def test_no_setting_looks_like_a_service_link() -> None:
    assert not [name for name in settings.names() if name.endswith(("_port", "_service_host"))]


def test_the_clients_own_variables_are_known() -> None:
    assert settings.warnings({"TRANSSHIP_URL": "x", "TRANSSHIP_PASSWORD": "y"}) == []


S3_KEYS = {"s3_access_key", "s3_secret_key"}


@pytest.mark.parametrize("secret", settings.SECRETS)
def test_every_secret_can_come_from_a_file(tmp_path: Path, secret: str) -> None:
    value = {"postgres_dsn": "postgresql://h/d", "redis_dsn": "redis://h"}.get(secret, "hidden")
    file = tmp_path / "secret"
    file.write_text(value + "\n")
    variable = f"TRANSSHIP_{secret.upper()}_FILE"
    others = dict.fromkeys(S3_KEYS - {secret}, "x") if secret in S3_KEYS else {}
    given = {variable: str(file), "TRANSSHIP_STORAGE": "s3://bucket"}
    given |= {f"TRANSSHIP_{name.upper()}": other for name, other in others.items()}
    assert getattr(settings.load(given), secret)
    both = {variable: str(file), f"TRANSSHIP_{secret.upper()}": value}
    assert "given twice" in problems(both)
    file.unlink()
    assert str(file) in problems({variable: str(file)})


def test_secrets_do_not_print() -> None:
    loaded = settings.load(
        {
            "TRANSSHIP_POSTGRES_DSN": "postgresql://u:hidden@h/d",
            "TRANSSHIP_SECRET_KEY": "hidden,hidden2",
            "TRANSSHIP_ADMIN_PASSWORD": "hidden",
        }
    )
    assert "hidden" not in repr(loaded)
    assert [key.get_secret_value() for key in loaded.secret_key] == ["hidden", "hidden2"]


def test_a_wrong_secret_does_not_print_either() -> None:
    told = problems({"TRANSSHIP_POSTGRES_DSN": "mysql://u:hidden@h/d"})
    assert told == "postgres_dsn: must begin with postgresql:// or postgres://"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("listen", "8080", "is not HOST:PORT"),
        ("listen", "127.0.0.1:99999", "is not HOST:PORT"),
        ("external_url", "ftp://host", "is not http"),
        ("external_url", "https://host/path", "without a path"),
        ("storage", "s3:///prefix", "s3://bucket/prefix"),
        ("storage", "/path", "is not file:///path"),
        ("redis_dsn", "valkey://host", "must begin with redis://"),
        ("worker_slots", "0", "greater than or equal to 1"),
        ("zone", "No Zone", "should match pattern"),
        ("layout_roots", "relative", "is not an absolute path"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str, sentence: str) -> None:
    told = problems({f"TRANSSHIP_{name.upper()}": value})
    assert told.startswith(f"{name}: ")
    assert sentence in told


def test_all_problems_are_told_at_once() -> None:
    told = problems({"TRANSSHIP_LISTEN": "x", "TRANSSHIP_STORAGE": "y", "TRANSSHIP_ZONE": "!"})
    assert len(told.splitlines()) == 3


def test_a_storage_is_a_folder_or_a_bucket() -> None:
    folder = settings.load({"TRANSSHIP_STORAGE": "file:///a%20b"})
    assert (folder.storage_path, folder.storage_bucket) == (Path("/a b"), None)
    bucket = settings.load({"TRANSSHIP_STORAGE": "s3://bucket/some/prefix/"})
    assert (bucket.storage_path, bucket.storage_bucket) == (None, ("bucket", "some/prefix"))


def test_what_concerns_a_bucket_has_no_effect_without_one() -> None:
    told = problems({"TRANSSHIP_STORAGE": "file:///a", "TRANSSHIP_S3_REGION": "eu-central-1"})
    assert "s3_region: storage is no bucket" in told
    half = {"TRANSSHIP_STORAGE": "s3://bucket", "TRANSSHIP_S3_ACCESS_KEY": "key"}
    assert "together or not at all" in problems(half)


def test_a_listener_that_others_reach_wants_encryption_or_a_word() -> None:
    open_to_all = {"TRANSSHIP_LISTEN": "0.0.0.0:8080"}
    assert "--insecure-http" in problems(open_to_all)
    assert settings.load(open_to_all | {"TRANSSHIP_INSECURE_HTTP": "true"}).insecure_http
    behind_tls = settings.load(open_to_all | {"TRANSSHIP_EXTERNAL_URL": "https://r.example/"})
    assert behind_tls.external_url == "https://r.example"
    assert "--insecure-http" in problems(
        open_to_all | {"TRANSSHIP_EXTERNAL_URL": "http://r.example"}
    )


def test_a_listener_with_a_certificate_needs_no_word() -> None:
    with_tls = {"TRANSSHIP_TLS_CERT": "/c.pem", "TRANSSHIP_TLS_KEY": "/k.pem"}
    assert settings.load({"TRANSSHIP_LISTEN": "0.0.0.0:443", **with_tls}).tls_key == "/k.pem"
    for half in with_tls:
        assert "belong together" in problems({half: "/only.pem"})


def test_trusted_proxies_are_networks() -> None:
    loaded = settings.load({"TRANSSHIP_TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1 ::1"})
    assert list(map(str, loaded.trusted_proxies)) == ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]
    assert settings.load(loaded.as_environment()) == loaded
    assert "trusted_proxies" in problems({"TRANSSHIP_TRUSTED_PROXIES": "proxy.example"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_loopback_needs_no_word(host: str) -> None:
    assert settings.load({"TRANSSHIP_LISTEN": f"{host}:0"}).listener.is_loopback


def test_a_host_name_counts_as_reachable() -> None:
    assert "reachable from other machines" in problems({"TRANSSHIP_LISTEN": "registry.lan:80"})


def test_what_a_process_needs_and_does_not_have_is_named() -> None:
    loaded = settings.load({"TRANSSHIP_REDIS_DSN": "redis://h"})
    with pytest.raises(errors.InvalidSettings) as caught:
        loaded.require("postgres_dsn", "redis_dsn", "storage")
    assert str(caught.value).splitlines() == [
        "postgres_dsn is missing: set TRANSSHIP_POSTGRES_DSN or TRANSSHIP_POSTGRES_DSN_FILE",
        "storage is missing: set TRANSSHIP_STORAGE",
    ]


def test_the_storage_folder_is_unquoted() -> None:
    assert settings.load({"TRANSSHIP_STORAGE": "file:///a%20b"}).storage_path == Path("/a b")
    assert settings.load({}).storage_path is None


def test_several_layout_roots_are_separated_by_colons() -> None:
    assert settings.load({"TRANSSHIP_LAYOUT_ROOTS": "/a:/b"}).layout_roots == (
        Path("/a"),
        Path("/b"),
    )


def test_settings_survive_the_way_to_a_child_process() -> None:
    loaded = settings.load(
        {
            "TRANSSHIP_SECRET_KEY": "one two",
            "TRANSSHIP_POSTGRES_DSN": "postgresql://u:p@h/d",
            "TRANSSHIP_LAYOUT_ROOTS": "/a:/b",
            "TRANSSHIP_INSECURE_HTTP": "1",
        }
    )
    assert settings.load(loaded.as_environment()) == loaded


def test_a_child_process_gets_nothing_of_ours_by_accident() -> None:
    environment = {"TRANSSHIP_SECRET_KEY_FILE": "x", "PATH": "/bin"}
    assert settings.without_settings(environment) == {"PATH": "/bin"}
