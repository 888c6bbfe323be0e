"""How a server process is told to end: politely by the first signal, at once by the second."""

from __future__ import annotations

import asyncio
import signal

NUMBERS = (signal.SIGTERM, signal.SIGINT)


def stop_requested() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set; a second one ends the process at once, whatever it does.

    Needs the main thread's running loop.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        told.set()
        for number in NUMBERS:
            loop.remove_signal_handler(number)
            # The kernel's own way: it works also where the loop hangs.
            signal.signal(number, signal.SIG_DFL)

    for number in NUMBERS:
        loop.add_signal_handler(number, ask)
    return told
