"""The systemd unit of a service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_UNIT = """\
# Written by `provisioning serve unit`. Put it into /etc/systemd/system/provisioning.service; then
# `systemctl daemon-reload` and `systemctl enable --now provisioning`.
[Unit]
Description=provisioning: reconciles {names} with Git
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
User={user}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Environment={home}
WorkingDirectory={folder}
Restart=always
RestartSec=2
WatchdogSec=120
# Each heartbeat before READY extends the start timeout: a slow Git server ends no start.
TimeoutStartSec=120
TimeoutStopSec=120
# Processes that the service manages outlive it, and the next service finds them. The restrictions
# below hold for them, too; their files in /tmp go when the service ends.
KillMode=process

# The service writes to these folders only. Each must exist.
ReadWritePaths={writable}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
UMask=0077
MemoryMax=80%
NoNewPrivileges=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @module @mount @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
{limits}
[Install]
WantedBy=multi-user.target
"""

_NO_CAPABILITY = "CapabilityBoundingSet=\n"
"""Not for root, who needs capabilities to change the owners of files."""


def render_unit(
    command: Sequence[str],
    folders: Sequence[Path],
    home: Path,
    writable: Sequence[Path],
    user: str,
) -> str:
    """Return the unit that runs *command*, without a shell, for the workspaces at *folders*.

    *home* is that of the product; the service runs as *user*, and writes to *writable* alone.
    """
    return _UNIT.format(
        names=_escape(", ".join(folder.name for folder in folders)),
        user=_escape(user),
        command=" ".join(_quote(item).replace("$", "$$") for item in command),
        home=_quote(f"PROVISIONING_HOME={home}"),
        folder=_escape(str(folders[0])),
        limits="" if user == "root" else _NO_CAPABILITY,
        writable=" ".join(_quote(str(item)) for item in dict.fromkeys(writable)),
    )


def _quote(word: str) -> str:
    """Quote a word by the rules of systemd.syntax(7)."""
    escaped = _escape(word)
    if escaped and not any(item in " \t'\"\\;" for item in escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape(text: str) -> str:
    """Escape the specifiers of systemd."""
    return text.replace("%", "%%")
