import base64
from pathlib import Path

import pytest

from protocol.digest import Digest
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry
from tests.integration.cli.conftest import Transship


async def test_an_image_arrives_byte_for_byte_and_a_second_copy_moves_nothing(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    image = source.repository("team/app").put_image("1.0", layers=(b"one", b"two"))
    places = (f"{source.host}/team/app:1.0", f"docker://{destination.host}/mirror/app")

    first = await transship("copy", *places)
    assert first.code == 0, first.err
    assert "copied" in first.out
    there = destination.repository("mirror/app")
    assert there.manifests[there.tags["1.0"]].body == image.body

    source.requests.clear()
    destination.requests.clear()
    again = await transship("copy", *places)
    assert again.code == 0
    assert again.out.startswith("up to date")
    assert "1 up to date, 0 failed; 0 B moved" in again.out
    assert source.requests.count("GET", "blob") == 0
    assert destination.requests.count("PUT") == 0
    assert source.requests.count("HEAD", "manifest") == 1
    assert destination.requests.count("HEAD", "manifest") == 1


async def test_a_tag_may_change_its_name_on_the_way(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    image = source.repository("team/app").put_image("1.0")
    ended = await transship("copy", f"{source.host}/team/app:1.0", f"{destination.host}/x/y:stable")
    assert ended.code == 0, ended.err
    assert destination.repository("x/y").tags == {"stable": str(image.digest)}


async def test_a_digest_is_copied_without_a_tag(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    image = source.repository("team/app").put_image("1.0")
    ended = await transship(
        "copy", f"{source.host}/team/app@{image.digest}", f"{destination.host}/team/app"
    )
    assert ended.code == 0, ended.err
    there = destination.repository("team/app")
    assert str(image.digest) in there.manifests
    assert there.tags == {}


async def test_a_whole_repository_is_copied_with_all_its_tags_and_signatures(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    repository = source.repository("team/app")
    for number in range(5):
        repository.put_image(f"v{number}", layers=(b"shared", f"own {number}".encode()))
    signed = repository.manifests[repository.tags["v0"]]
    signature = repository.put_image(None, layers=(b"signature",), subject=signed.descriptor)

    ended = await transship(
        "copy", "--all-tags", "--json", f"{source.host}/team/app", f"{destination.host}/team/app"
    )

    assert ended.code == 0, ended.err
    there = destination.repository("team/app")
    assert there.tags.items() >= repository.tags.items()
    assert str(signature.digest) in there.manifests
    *artifacts, summary = ended.objects
    assert [a["type"] for a in artifacts] == ["artifact"] * 5
    assert {a["outcome"] for a in artifacts} == {"copied"}
    assert (summary["type"], summary["artifacts"], summary["copied"]) == ("summary", 5, 5)
    assert summary["referrers_copied"] == 1
    assert summary["blobs_skipped"] + summary["blobs_mounted"] > 0


async def test_without_referrers_signatures_stay_where_they_are(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    repository = source.repository("team/app")
    image = repository.put_image("1.0")
    signature = repository.put_image(None, layers=(b"signature",), subject=image.descriptor)
    ended = await transship(
        "copy", "--no-referrers", f"{source.host}/team/app:1.0", f"{destination.host}/team/app"
    )
    assert ended.code == 0, ended.err
    assert str(signature.digest) not in destination.repository("team/app").manifests


@pytest.mark.parametrize("form", ["oci:{}/layout", "oci-archive:{}/image.tar"])
async def test_an_image_goes_to_disk_and_comes_back(
    transship: Transship,
    source: FakeRegistry,
    destination: FakeRegistry,
    tmp_path: Path,
    form: str,
) -> None:
    image = source.repository("team/app").put_image("1.0", layers=(b"one", b"two"))
    place = form.format(tmp_path)
    out = await transship("copy", f"{source.host}/team/app:1.0", place)
    assert out.code == 0, out.err
    back = await transship("copy", place, f"{destination.host}/team/app")
    assert back.code == 0, back.err
    there = destination.repository("team/app")
    assert there.manifests[there.tags["1.0"]].body == image.body


async def test_a_layout_with_several_tags_wants_one_to_be_named(
    transship: Transship, source: FakeRegistry, tmp_path: Path
) -> None:
    for tag in ("1.0", "2.0"):
        source.repository("team/app").put_image(tag, layers=(tag.encode(),))
    out = await transship("copy", "-a", f"{source.host}/team/app", f"oci:{tmp_path}/layout")
    assert out.code == 0, out.err
    ended = await transship("copy", f"oci:{tmp_path}/layout", f"{source.host}/other/app")
    assert ended.code == 2
    assert "has 2 tags (1.0, 2.0): name one" in ended.err


async def test_docker_s_credentials_are_used(
    transship: Transship, destination: FakeRegistry
) -> None:
    door = Door(scheme="basic", username="ann", password="secret")
    async with FakeRegistry(door=door) as source:
        source.repository("team/app").put_image("1.0")
        places = (f"{source.host}/team/app:1.0", f"{destination.host}/team/app")
        transship.log_in({source.host: {"auth": base64.b64encode(b"ann:secret").decode()}})
        ended = await transship("copy", *places)
        assert ended.code == 0, ended.err

        transship.log_in({source.host: {"auth": base64.b64encode(b"ann:wrong").decode()}})
        refused = await transship("copy", *places)
        assert refused.code == 4
        assert "401" in refused.err or "unauthorized" in refused.err.lower()
        assert "wrong" not in refused.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Not A Reference", "127.0.0.1:1/a"), 2, "is no reference"),
        (("127.0.0.1:1/a:1", "127.0.0.1:1/a"), 2, "source and destination are both"),
        (("-a", "127.0.0.1:1/a:1", "127.0.0.1:1/b"), 2, "leave the tag out"),
        (("127.0.0.1:1/a:1", f"127.0.0.1:1/b@{Digest.of(b'')}"), 2, "named by its tag"),
        (("http://registry.test/a:1", "127.0.0.1:1/b"), 2, "add --plain-http"),
        (("127.0.0.1:1/a:1", "127.0.0.1:1/b"), 3, "127.0.0.1:1"),
        (("registry.invalid/a:1", "127.0.0.1:1/b"), 3, "registry.invalid"),
        (("oci:/nowhere/at-all:1", "127.0.0.1:1/b"), 5, "/nowhere/at-all"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_one_sentence(
    transship: Transship, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = await transship("copy", *arguments)
    assert (ended.code, said in ended.err) == (code, True), ended
    assert "Traceback" not in ended.err


async def test_what_is_not_there_is_said_to_be_not_there(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.repository("team/app").put_image("1.0")
    tag = await transship("copy", f"{source.host}/team/app:9", f"{destination.host}/team/app")
    assert tag.code == 5
    assert "team/app:9" in tag.err
    repository = await transship("copy", "-a", f"{source.host}/no/such", f"{destination.host}/x")
    assert repository.code == 5
    assert "nothing was copied; is the name right" in repository.err


async def test_a_source_that_lies_fails_that_artifact_alone_and_leaves_no_tag(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    repository = source.repository("team/app")
    good = repository.put_image("good", layers=(b"good",))
    repository.put_image("bad", layers=(b"honest",))
    repository.blobs[str(Digest.of(b"honest"))] = b"forged"
    ended = await transship("copy", "-a", f"{source.host}/team/app", f"{destination.host}/team/app")
    assert ended.code == 1
    assert destination.repository("team/app").tags == {"good": str(good.digest)}
    assert "team/app:bad" in ended.err
    assert "1 copied, 0 up to date, 1 failed" in ended.out


async def test_help_lists_the_forms(transship: Transship) -> None:
    ended = await transship("copy", "--help", COLUMNS="200")
    assert ended.code == 0
    assert "oci-archive:FILE" in ended.out
