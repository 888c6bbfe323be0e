from pathlib import Path

import pytest

from jobservice.cli import places
from jobservice.cli.places import LayoutPlace, RegistryPlace
from protocol.errors import InvalidReference


@pytest.mark.parametrize(
    ("text", "url", "name", "tag"),
    [
        ("alpine", "https://registry-1.docker.io", "docker.io/library/alpine", None),
        ("docker://ghcr.io/a/b:1", "https://ghcr.io", "ghcr.io/a/b", "1"),
        ("localhost:5000/a:1", "http://localhost:5000", "localhost:5000/a", "1"),
        ("127.0.0.1/a", "http://127.0.0.1", "127.0.0.1/a", None),
        ("[::1]:5000/a", "http://[::1]:5000", "[::1]:5000/a", None),
        ("https://127.0.0.1:5000/a", "https://127.0.0.1:5000", "127.0.0.1:5000/a", None),
        ("http://localhost/a", "http://localhost", "localhost/a", None),
    ],
)
def test_registries_are_spoken_to_in_https_unless_they_are_here(
    text: str, url: str, name: str, tag: str | None
) -> None:
    place = places.parse(text)
    assert isinstance(place, RegistryPlace)
    assert (place.url, place.name, place.tag) == (url, name, tag)


def test_plain_http_elsewhere_must_be_said() -> None:
    with pytest.raises(InvalidReference, match="add --plain-http"):
        places.parse("http://registry.test/a")
    place = places.parse("registry.test/a", plain_http=True)
    assert isinstance(place, RegistryPlace)
    assert place.url == "http://registry.test"


@pytest.mark.parametrize(
    ("text", "path", "tag", "is_archive"),
    [
        ("oci:out", "out", None, False),
        ("oci:/srv/x:1.0", "/srv/x", "1.0", False),
        ("oci:/srv/a:b/c", "/srv/a:b/c", None, False),
        ("oci-archive:image.tar:v1", "image.tar", "v1", True),
    ],
)
def test_layouts_are_named_by_path_and_tag(
    text: str, path: str, tag: str | None, *, is_archive: bool
) -> None:
    place = places.parse(text)
    assert place == LayoutPlace(path=Path(path), tag=tag, is_archive=is_archive)
    assert str(place) == text


@pytest.mark.parametrize("text", ["oci:", "oci:x:-bad-", "docker://Alpine", ""])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        places.parse(text)
