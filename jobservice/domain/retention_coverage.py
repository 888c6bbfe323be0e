"""What the rules of a policy met in all repositories: one that meets nothing is likely a typo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Coverage:
    """The `rules` that are not disabled, by name: where each was in force, and what it selected.

    `left_alone` counts the repositories that no rule is about.
    """

    rules: Sequence[str] = ()
    covered: int = 0
    left_alone: int = 0
    repositories: dict[str, int] = field(default_factory=dict)
    selected: dict[str, int] = field(default_factory=dict)

    def add(self, matched: Mapping[str, int]) -> None:
        """Add a repository, and what each rule that is in force there selected."""
        self.covered += 1
        for rule, count in matched.items():
            self.repositories[rule] = self.repositories.get(rule, 0) + 1
            self.selected[rule] = self.selected.get(rule, 0) + count

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each rule that met nothing."""
        total = self.covered + self.left_alone
        if not self.covered:
            yield f"0 of {total} repositories are covered by a rule"
            return
        for rule in self.rules:
            count = self.repositories.get(rule, 0)
            if not count:
                yield f"{rule} is about 0 of {total} repositories"
            elif not self.selected[rule]:
                yield f"{rule} selects nothing in {_counted(count)}"


def _counted(repositories: int) -> str:
    return "1 repository" if repositories == 1 else f"{repositories} repositories"
