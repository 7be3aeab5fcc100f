"""The holders of locks on this machine, and whether their processes still live."""

from __future__ import annotations

import os
from pathlib import Path

from provisioning.core.model.records import Holder


def read_boot() -> str:
    """Name this boot of this machine, and the process namespace we are in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def read_holder() -> Holder:
    """Describe this very process."""
    pid = os.getpid()
    return Holder(
        user=read_user(),
        host=os.uname().nodename,
        boot=read_boot(),
        pid=pid,
        started=_read_start(pid) or 0,
    )


def read_user() -> str:
    """Return the user's name, as one line of UTF-8 whatever a variable says."""
    import getpass

    try:
        name = getpass.getuser().encode(errors="replace").decode()
    except (OSError, KeyError):
        name = ""
    return " ".join(name.split()) or str(os.getuid())


def is_gone(holder: Holder) -> bool:
    """Tell whether *holder* is a process of this machine and boot that has ended.

    False when it cannot be known: another machine, another boot, another namespace.
    """
    if not holder.pid or not holder.boot or holder.boot != read_boot():
        return False
    return _read_start(holder.pid) != holder.started


def _read_start(pid: int) -> int | None:
    """Read a process's start time in clock ticks since boot (proc(5), field 22); None if gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])
