"""What the supervisor can fail with.

SupervisorError
├── NoPrograms        no Postgres or Valkey to run on this machine
├── CannotStart       a server or child did not come up; the message ends with its last words
├── FolderInUse       another `transship up` holds the data folder
├── NotRunning        no `transship up` runs on the data folder
└── WrongFolder       the folder belongs to another user, or to a Postgres that is not installed
"""


class SupervisorError(Exception):
    """The root: catch it to tell a person why nothing runs; every message is one for people."""


class NoPrograms(SupervisorError):
    """No usable program was found in the wheels nor on the machine."""


class CannotStart(SupervisorError):
    """A process was started and did not become ready."""


class FolderInUse(SupervisorError):
    """The lock of a data folder is held by a living process."""


class NotRunning(SupervisorError):
    """What was asked for wants a running `up`."""


class WrongFolder(SupervisorError):
    """A folder is not ours to use as it is."""
