"""Layouts that skopeo writes are read here, and ours there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from adapters import oci_layout
from jobservice.demo import artifacts, content
from tests.contract import places


async def run(*arguments: str) -> str:
    """Run a program; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_skopeo_reads_our_directory_and_archive(tmp_path: Path) -> None:
    skopeo = places.needs_program("skopeo")
    image = artifacts.build("demo")[1]
    await content.push(image, oci_layout.open_directory(tmp_path / "ours"))
    async with oci_layout.open_archive(tmp_path / "ours.tar", writes=True) as store:
        await content.push(image, store)
    for source in (f"oci:{tmp_path}/ours:latest", f"oci-archive:{tmp_path}/ours.tar:latest"):
        raw = await run(skopeo, "inspect", "--raw", source)
        assert raw.encode() == image.root.body
        await run(skopeo, "inspect", "--config", source)


async def test_a_layout_by_skopeo_comes_back_byte_identical(tmp_path: Path) -> None:
    skopeo = places.needs_program("skopeo")
    index = artifacts.build("demo")[0]
    await content.push(index, oci_layout.open_directory(tmp_path / "ours"))
    ours = f"oci:{tmp_path}/ours:1.0"
    copy = (skopeo, "--insecure-policy", "copy", "--quiet", "--all")
    await run(*copy, ours, f"oci:{tmp_path}/theirs:v1")
    await run(*copy, ours, f"oci-archive:{tmp_path}/theirs.tar:example.org/web:v1")
    theirs = oci_layout.open_directory(tmp_path / "theirs")
    assert (await theirs.read_manifest("v1")).body == index.root.body
    async with oci_layout.open_archive(tmp_path / "theirs.tar", writes=False) as archive:
        assert (await archive.read_manifest("v1")).body == index.root.body
        assert (await archive.read_manifest("example.org/web:v1")).digest == index.root.digest
        assert await archive.sole_reference() == str(index.root.digest)


async def test_we_add_to_a_layout_of_skopeo_without_losing_its_entries(tmp_path: Path) -> None:
    skopeo = places.needs_program("skopeo")
    index, image, _ = artifacts.build("demo")
    await content.push(index, oci_layout.open_directory(tmp_path / "ours"))
    copy = (skopeo, "--insecure-policy", "copy", "--quiet", "--all")
    await run(*copy, f"oci:{tmp_path}/ours:1.0", f"oci:{tmp_path}/theirs:v1")
    await content.push(image, oci_layout.open_directory(tmp_path / "theirs"))
    raw = await run(skopeo, "inspect", "--raw", f"oci:{tmp_path}/theirs:v1")
    assert json.loads(raw) == json.loads(index.root.body)
    raw = await run(skopeo, "inspect", "--raw", f"oci:{tmp_path}/theirs:latest")
    assert raw.encode() == image.root.body
