from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pytest
from typing_extensions import override

from adapters import oci_layout, plugins
from adapters.base import AdapterContext, Endpoint
from adapters.errors import BrokenPlugin, UnknownKind

OWN = "adapters.oci_layout:OciLayoutAdapter"


class Installed(metadata.Distribution):
    """A distribution that is there only as its metadata."""

    def __init__(self, name: str, claims: dict[str, str]) -> None:
        self._name = name
        self._claims = claims

    @override
    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.0\n"
        lines = (f"{kind} = {value}\n" for kind, value in self._claims.items())
        return "[transship.adapters]\n" + "".join(lines)

    @override
    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(path)


def catalogue(**distributions: dict[str, str]) -> plugins.Catalogue:
    installed = [Installed(name, claims) for name, claims in distributions.items()]
    return plugins.discover([entry for each in installed for entry in each.entry_points])


def context(kind: str, *, url: str = "oci:///srv/mirror") -> AdapterContext:
    return AdapterContext(
        endpoint=Endpoint(kind=kind, url=url),
        credential=None,
        transport=cast("Any", None),
        layout_roots=(Path("/srv"),),
    )


def test_a_kind_is_found_and_built() -> None:
    found = catalogue(transship={"oci-layout": OWN})
    assert list(found.infos()) == ["oci-layout"]
    assert isinstance(found.build(context("oci-layout")), oci_layout.OciLayoutAdapter)
    assert found.broken == ()


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UnknownKind, match="'nexus' is installed; known are oci-layout"):
        catalogue(transship={"oci-layout": OWN}).build(context("nexus"))


def test_our_own_kinds_cannot_be_taken_away() -> None:
    found = catalogue(evil={"oci-layout": "nowhere:Nothing"}, transship={"oci-layout": OWN})
    assert found.adapters == {"oci-layout": oci_layout.OciLayoutAdapter}


def test_a_kind_that_two_distributions_offer_is_nobodys() -> None:
    found = catalogue(one={"oci-layout": OWN}, two={"oci-layout": OWN})
    assert found.adapters == {}
    with pytest.raises(BrokenPlugin, match="of one and two cannot be used: both offer"):
        found.build(context("oci-layout"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Adapter", "does not load: ModuleNotFoundError"),
        ("adapters.oci_layout:NoSuchName", "does not load: AttributeError"),
        ("adapters.oci_layout:open_directory", "is no subclass of adapters.base.Adapter"),
        (OWN, "does not declare the kind 'foo'"),
        ("adapters.base:Adapter", "does not declare the kind 'foo'"),
    ],
)
def test_what_cannot_be_used_names_its_distribution(value: str, reason: str) -> None:
    found = catalogue(transship={"oci-layout": OWN}, foolib={"foo": value})
    assert list(found.infos()) == ["oci-layout"]
    (problem,) = found.broken
    assert (problem.kind, problem.distribution) == ("foo", "foolib")
    assert reason in problem.reason
    with pytest.raises(BrokenPlugin, match="upgrade or uninstall foolib"):
        found.build(context("foo"))


def test_a_module_that_fails_at_import_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "transship_exploding.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = catalogue(
        transship={"oci-layout": OWN}, exploding={"foo": "transship_exploding:Adapter"}
    )
    assert "RuntimeError: no licence" in found.broken[0].reason
    assert "transship_exploding" not in sys.modules
    assert list(found.adapters) == ["oci-layout"]


def test_this_installation_offers_its_built_in_kinds() -> None:
    assert plugins.kinds()["oci-layout"].creatable
    assert isinstance(plugins.build(context("oci-layout")), oci_layout.OciLayoutAdapter)
