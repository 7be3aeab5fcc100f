"""The systemd unit of a service."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

_UNIT = """\
# Written by `provisioning serve unit`. Put it into /etc/systemd/system/provisioning.service, or,
# for a user, into ~/.config/systemd/user; then `systemctl enable --now provisioning`.
[Unit]
Description=provisioning: keeps {what} equal to Git
Documentation=man:provisioning(1)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify-reload
NotifyAccess=main
ExecStart={command}
Environment=PROVISIONING_HOME={home}
WorkingDirectory={folder}
Restart=always
RestartSec=2
WatchdogSec=60
TimeoutStopSec=120
# Processes that the service keeps outlive it, and are found again when it is back.
KillMode=process

# It writes to these, and to nothing else; add each path of local.allow.
ReadWritePaths={writable}
ProtectSystem=strict
PrivateTmp=yes
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
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def render_unit(
    command: Sequence[str], folders: Sequence[Path], home: Path, writable: Sequence[Path]
) -> str:
    """Return the unit that runs *command* for the workspaces at *folders*.

    Args:
        command: What is run, without a shell.
        folders: The workspaces.
        home: The home of the product.
        writable: What the service writes to.
    """
    return _UNIT.format(
        what=", ".join(each.name for each in folders),
        command=" ".join(_quote(each) for each in command),
        home=_quote(str(home)),
        folder=_quote(str(folders[0])),
        writable=" ".join(_quote(str(each)) for each in writable),
    )


def _quote(word: str) -> str:
    """Quote a word for systemd, to which % and $ mean something: systemd.service(5)."""
    return shlex.quote(word.replace("%", "%%").replace("$", "$$"))
