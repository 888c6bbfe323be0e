"""An import into a project whose tags are immutable."""

from __future__ import annotations

import pytest

from access import projects
from database.pool import Database
from registry.care.importing import Wish
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules
from registry.selecting import Decoration, Selector
from tests.fakes.distribution_folder import OldFolder
from tests.integration.registry.care.conftest import Importer
from tests.integration.registry.steps import Client, ask


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_immutable_tag_that_moved_there_is_left_out_and_the_others_follow(
    importer: Importer, old: OldFolder, client: Client, database: Database, *, dry_run: bool
) -> None:
    first = old.image("team/app", b"layer", "v1", "latest")
    await importer.run()
    rule = ImmutableRule(
        id=0,
        repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="**"),
        tag=Selector(decoration=Decoration.MATCHES, pattern="v*"),
    )
    async with database.transaction() as connection:
        project = await projects.get(connection, "team")
        await immutable_rules.create(connection, project.id, rule)
    second = old.image("team/app", b"another layer", "v1", "v2", "latest")
    outcome = await importer.run(Wish(dry_run=dry_run))
    assert list(outcome.skipped) == ["team/app:v1"]
    assert "tag v1 is immutable" in outcome.skipped["team/app:v1"]
    if not dry_run:
        found = {}
        for tag in ("v1", "v2", "latest"):
            answer = await ask(client, "HEAD", f"/v2/team/app/manifests/{tag}")
            found[tag] = answer.headers["Docker-Content-Digest"]
        assert found == {"v1": str(first), "v2": str(second), "latest": str(second)}
