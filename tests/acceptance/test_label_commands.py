"""`transship label` against a whole house."""

from __future__ import annotations

from jobservice.cli.exit_codes import ExitCode
from tests.acceptance.house import House
from tests.acceptance.test_commands import Shell
from tests.acceptance.test_garbage_collection import push

REPOSITORY = "labelled/deep/app"
ARTIFACT = f"{REPOSITORY}:1.0"


async def test_a_label_from_its_beginning_to_its_end(house: House) -> None:
    shell = Shell(house)
    await shell.said("project", "create", "labelled")
    await push(house, REPOSITORY, b"a layer of its own")
    everybodys = (await shell.json("label", "create", "lts", "--color", "#48960C"))["id"]
    ours = (await shell.json("label", "create", "lts", "--project", "labelled"))["id"]
    listed = await shell.json("label", "list", "--project", "labelled")
    assert [one["id"] for one in listed if one["name"] == "lts"] == [ours, everybodys]
    assert ours not in [one["id"] for one in await shell.json("label", "list")]
    columns = [line.split() for line in (await shell.said("label", "list")).splitlines()]
    assert [str(everybodys), "lts", "everybody", "#48960C"] in columns

    assert f"{ARTIFACT} has the label lts" in await shell.said("label", "add", ARTIFACT, "lts")
    assert [one["id"] for one in await shell.json("label", "show", ARTIFACT)] == [ours]
    await shell.said("label", "add", ARTIFACT, str(everybodys))
    assert "labelled" in await shell.said("label", "show", ARTIFACT)
    code, told = await shell.refused("label", "add", ARTIFACT, "lts")
    assert (code != ExitCode.OK, "has the label 'lts' already" in told) == (True, True)
    await shell.said("label", "remove", ARTIFACT, "lts")
    assert len(await shell.json("label", "show", ARTIFACT)) == 1
    await shell.said("label", "delete", "lts")
    await shell.said("label", "delete", "lts", "--project", "labelled")
    assert await shell.json("label", "show", ARTIFACT) == []


async def test_a_label_or_an_artifact_that_is_not_there_is_told(house: House) -> None:
    shell = Shell(house)
    for words, code, part in (
        (("add", "a/b", "x"), ExitCode.USAGE, "a/b names no tag and no digest: write a/b:TAG"),
        (("add", "b:1", "x"), ExitCode.USAGE, "b:1 names no project: write PROJECT/REPOSITORY:TAG"),
        (("add", "library/b:1", "x"), ExitCode.NOT_FOUND, "no label x of project library or every"),
        (("add", "library/b:1", "7"), ExitCode.NOT_FOUND, "artifact library/b:1 not found"),
        (("show", "nobody/b:1"), ExitCode.NOT_FOUND, "nobody"),
        (("delete", "x"), ExitCode.NOT_FOUND, "there is no label x of everybody"),
    ):
        found, told = await shell.refused("label", *words)
        assert (found, part in told) == (code, True), told
