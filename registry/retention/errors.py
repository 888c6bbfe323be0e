"""What retention refuses.

RetentionError
├── InvalidRules    the rules cannot be followed; every problem is named
├── UnknownFact     a rule asks for what is not known of an artifact
└── TooManyGroups   a rule sorts a repository into more groups than are kept in memory
"""

from __future__ import annotations


class RetentionError(Exception):
    """The root of what retention raises."""


class InvalidRules(RetentionError):
    """Not rules; every problem is a sentence that begins with its place."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnknownFact(RetentionError):
    """A rule needs what the registry does not tell."""


class TooManyGroups(RetentionError):
    """The groups of a rule are not worth their name: there are too many."""
