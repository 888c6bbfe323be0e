"""The moment between fork and exec, as a program of its own.

Called as `python -I -S launch.py PARENT SIGNAL HOW UID GID PROGRAM ARGUMENT...`:

PARENT  process id that must still be our parent, or 0 to outlive it
SIGNAL  number of the signal the kernel sends us when that parent dies (prctl PR_SET_PDEATHSIG)
HOW     `direct`, `namespace` (a user namespace in which our own ids read UID and GID: Postgres
        refuses to run as root and needs a user with a name) or `user` (setuid to UID and GID)

It imports the standard library only, so that a start costs some 15 ms; a function run in a forked
Python instead (`preexec_fn`) would be unsafe beside threads.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def enter_namespace(uid: int, gid: int) -> None:
    """Become `uid` and `gid` in a new user namespace; files keep the owner they have outside."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if LIBC.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare(CLONE_NEWUSER): {os.strerror(number)}")
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{uid} {outer_uid} 1")
    (own / "gid_map").write_text(f"{gid} {outer_gid} 1")


def become_user(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, signal_number: int) -> None:
    """Have the kernel signal us when `parent` dies; stop at once when it is dead already."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Do what the module says, then become the program."""
    parent, signal_number, how, uid, gid = arguments[:5]
    if how == "namespace":
        enter_namespace(int(uid), int(gid))
    elif how == "user":
        become_user(int(uid), int(gid))
    # Last: a change of credentials clears the death signal.
    if parent != "0":
        die_with(int(parent), int(signal_number))
    os.execv(arguments[5], arguments[5:])  # noqa: S606 - becoming another program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
