"""`serve`: the long-running service, and the commands that control it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.interfaces.service.admin_client import AdminClient

socket_option = click.option(
    "--socket", type=click.Path(dir_okay=False), help="The admin socket of the service."
)


@click.group(invoke_without_command=True)
@click.option(
    "-w",
    "--workspace",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False),
    help="A workspace to serve; repeatable. The current one by default.",
)
@click.option("--listen", metavar="HOST:PORT", help="Serve health and metrics; take webhooks.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="JSON unless on a terminal."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info"
)
@socket_option
@click.pass_context
def serve(
    context: click.Context,
    folders: Sequence[str],
    listen: str | None,
    log_format: str | None,
    log_level: str,
    socket: str | None,
) -> int:
    """Keep every infra equal to Git, until stopped.

    Fetches commits, applies them, and corrects drift; `serve COMMAND` controls a running one.
    """
    if context.invoked_subcommand is not None:
        return 0
    session: Session = context.obj
    check_installed()
    from provisioning.interfaces.service.daemon import Options, serve

    return serve(
        Options(
            folders=folders or (session.folder,),
            flags=session.flags,
            socket=find_socket(socket),
            listen=listen,
            log_json=log_format == "json" or (log_format is None and not sys.stderr.isatty()),
            log_level=log_level,
        ),
        session.wiring.build_service,
    )


def check_installed() -> None:
    """Make sure that the libraries of a service are there.

    Raises:
        InvalidArgument: If they are not.
    """
    from importlib.util import find_spec

    from provisioning.core.model.errors import InvalidArgument

    needed = (
        "apscheduler",
        "inotify_simple",
        "prometheus_client",
        "starlette",
        "structlog",
        "uvicorn",
    )
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise InvalidArgument(
            f"serve needs {', '.join(missing)}", hint="pip install 'provisioning[service]'"
        )


def find_socket(name: str | None) -> Path:
    """Return the admin socket: *name*, or that of the home."""
    import os

    from provisioning.config.home import find_home

    return Path(name).absolute() if name else find_home(os.environ).control


def _open_client(socket: str | None) -> AdminClient:
    from provisioning.interfaces.service.admin_client import AdminClient

    return AdminClient(find_socket(socket))


@serve.command()
@socket_option
@output_option
def status(socket: str | None, output: str) -> int:
    """Show the state of the service and of every infra; exit with 1 if it is not ready."""
    shape = _open_client(socket).send("GET", "status")
    if output == "text":
        from provisioning.interfaces.cli.render.service import render_status

        click.echo(render_status(shape))
    else:
        print_shape(shape, output)
    return 0 if shape["ready"] else 1


@serve.command()
@socket_option
@output_option
def queue(socket: str | None, output: str) -> None:
    """Show the work in progress and the queued work."""
    shape = _open_client(socket).send("GET", "queue")["queue"]
    if output == "text":
        from provisioning.interfaces.cli.render.service import render_queue

        click.echo(render_queue(shape))
    else:
        print_shape(shape, output)


@serve.command()
@infra_argument
@socket_option
def pause(infra: str | None, socket: str | None) -> None:
    """Begin no cycle of INFRA (of any by default) until `resume` or a restart of the service.

    `provisioning suspend` persists, and other machines see it.
    """
    answer = _open_client(socket).send("POST", "pause", **_name(infra))
    click.echo(f"paused: {answer['paused']}")


@serve.command()
@infra_argument
@socket_option
def resume(infra: str | None, socket: str | None) -> None:
    """End a pause."""
    answer = _open_client(socket).send("POST", "resume", **_name(infra))
    click.echo(f"resumed: {answer['resumed']}")


@serve.command()
@socket_option
def drain(socket: str | None) -> None:
    """Begin nothing new, finish what runs, and end the service."""
    _open_client(socket).send("POST", "drain")
    click.echo("draining: the service ends after the running operations")


@serve.command()
@socket_option
def reload(socket: str | None) -> None:
    """Read the settings again, as on SIGHUP."""
    _open_client(socket).send("POST", "reload")
    click.echo("reloading")


@serve.command()
@click.argument("infra")
@socket_option
@output_option
def reconcile(infra: str, socket: str | None, output: str) -> int:
    """Reconcile INFRA now, and show what happens."""
    from provisioning.interfaces.cli.render.service import render_event

    last: dict[str, Any] = {}
    for last in _open_client(socket).stream("POST", "reconcile", infra=infra):
        if output == "text" and (line := render_event(last)):
            click.echo(line)
    if output != "text":
        print_shape(last, output)
    return 0 if last.get("result") in {"applied", "unchanged"} else 1


@serve.command()
@click.option(
    "-w",
    "--workspace",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="As of `serve`.",
)
@click.option("--listen", metavar="HOST:PORT", help="As of `serve`.")
@pass_session
def unit(session: Session, folders: Sequence[str], listen: str | None) -> None:
    """Print a hardened systemd unit for a service of these workspaces, run as the current user."""
    import os

    from provisioning.config.home import find_home
    from provisioning.interfaces.service.systemd_unit import render_unit

    opened = [
        session.wiring.open_workspace(folder, session.flags).settings
        for folder in folders or (session.folder,)
    ]
    roots = [settings.root for settings in opened]
    command = [*_find_program(), *(word for flag in session.flags for word in ("-c", flag))]
    command += ["serve", "--log-format", "json"]
    for root in roots:
        command += ["--workspace", str(root)]
    command += ["--listen", listen] if listen else []
    home = find_home(os.environ).path
    writable = [home, *roots]
    for settings in opened:
        writable.append(settings.root / str(settings.layers.get("local.root").value))
        writable += [Path(str(path)) for path in settings.layers.get("local.allow").value]
    click.echo(render_unit(command, roots, home, _drop_inner(writable), _find_user()), nl=False)


def _find_program() -> list[str]:
    """Return the words that run this program from anywhere."""
    import shutil

    program = shutil.which(sys.argv[0])
    return [str(Path(program).absolute())] if program else [sys.executable, "-m", "provisioning"]


def _find_user() -> str:
    """Return the name of the current user, or the number if there is none."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _drop_inner(folders: Sequence[Path]) -> list[Path]:
    """Return *folders* without those that lie in another of them."""
    return [folder for folder in folders if not set(folder.parents).intersection(folders)]


def _name(infra: str | None) -> dict[str, str]:
    return {"infra": infra} if infra else {}
