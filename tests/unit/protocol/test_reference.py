import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import reference
from protocol.digest import Digest
from protocol.errors import InvalidReference
from protocol.reference import Reference

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("alpine", "docker.io", "library/alpine", None),
        ("alpine:3.20", "docker.io", "library/alpine", "3.20"),
        ("grafana/loki", "docker.io", "grafana/loki", None),
        ("docker.io/alpine", "docker.io", "library/alpine", None),
        ("index.docker.io/library/alpine:1", "docker.io", "library/alpine", "1"),
        ("registry-1.docker.io/a/b", "docker.io", "a/b", None),
        ("localhost/app", "localhost", "app", None),
        ("localhost:5000/app:v1", "localhost:5000", "app", "v1"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c", None),
        ("[::1]:5000/app", "[::1]:5000", "app", None),
        ("ghcr.io/owner/app_x/y.z", "ghcr.io", "owner/app_x/y.z", None),
        ("Registry/app", "registry", "app", None),
        ("a__b/c---d", "docker.io", "a__b/c---d", None),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(
    text: str, registry: str, repository: str, tag: str | None
) -> None:
    assert reference.parse(text) == Reference(registry=registry, repository=repository, tag=tag)


def test_a_reference_may_have_tag_and_digest() -> None:
    parsed = reference.parse(f"ghcr.io/a/b:v1@{DIGEST}")
    assert parsed == Reference(registry="ghcr.io", repository="a/b", tag="v1", digest=DIGEST)
    assert parsed.selector == str(DIGEST)
    assert str(parsed) == f"ghcr.io/a/b:v1@{DIGEST}"


def test_latest_is_only_made_up_when_asked_for() -> None:
    assert reference.parse("alpine").selector is None
    assert reference.parse("alpine").with_default_tag().selector == "latest"
    tagged = reference.parse("alpine:3")
    assert tagged.with_default_tag() is tagged
    pinned = reference.parse(f"alpine@{DIGEST}")
    assert pinned.with_default_tag() is pinned


def test_docker_hub_answers_at_another_host() -> None:
    assert reference.parse("alpine").endpoint == "registry-1.docker.io"
    assert reference.parse("quay.io/a/b").endpoint == "quay.io"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the reference is empty"),
        ("https://ghcr.io/a/b", "has a scheme"),
        ("Alpine", "repository names are lower-case"),
        ("ghcr.io/", "the repository name is empty"),
        ("ghcr.io/a//b", "a component between slashes is empty"),
        ("a/b/", "a component between slashes is empty"),
        ("a/-b", "lower-case letters and digits"),
        ("a___b", "separated by"),
        ("alpine:", "tag '' is not valid"),
        ("alpine:-x", "does not start with"),
        ("alpine:" + "x" * 129, "1 to 128"),
        ("alpine@sha256:1", "wrong length"),
        ("alpine@", "expected algorithm:hex"),
        ("host:0/app", "not between 1 and 65535"),
        ("host:70000/app", "not between 1 and 65535"),
        ("-host.x/app", "no registry host"),
        ("ghcr.io/" + "a" * 256, "at most 255"),
        ("a" * 64, "an image id"),
        ("app space/x", "lower-case letters and digits"),
    ],
)
def test_what_is_no_reference_is_refused_with_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference, match=reason):
        reference.parse(text)


NAMES = st.from_regex(r"[a-z0-9]{1,5}((\.|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)


@given(
    components=st.lists(NAMES, min_size=2, max_size=4),
    tag=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_what_is_written_out_is_read_back(components: list[str], tag: str | None) -> None:
    written = Reference(registry="r.test:5000", repository="/".join(components), tag=tag)
    assert reference.parse(str(written)) == written


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        parsed = reference.parse(text)
    except InvalidReference:
        return
    reference.check_repository(parsed.repository)
    reference.check_host(parsed.registry)


def test_credentials_in_a_reference_are_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidReference, match="docker login") as caught:
        reference.parse("ann:hunter2@registry.test/app:1")
    assert "hunter2" not in str(caught.value)
