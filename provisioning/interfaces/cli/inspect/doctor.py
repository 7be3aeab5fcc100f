"""`doctor`: the machine, Git, remotes, keys and providers, each problem with a remedy."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@output_option
@pass_session
def doctor(session: Session, output: str) -> int:
    """Check the machine, Git, remotes, keys and providers; exits with 1 on an error.

    Changes nothing, and goes on after a problem. Each problem comes with its remedy.
    """
    from provisioning.application.inspect.doctor import DoctorRequest
    from provisioning.core.status.health_checks import Health
    from provisioning.interfaces.cli.render.health_checks import (
        render_health_report,
        render_health_summary,
    )

    found, area = [], ""
    for report in session.call(DoctorRequest()):
        found.append(report)
        if output == "text":
            click.echo(render_health_report(report, is_first=report.area != area))
            area = report.area
    if output == "text":
        click.echo(render_health_summary(found))
    else:
        print_shape(found, output)
    return 1 if any(report.health is Health.ERROR for report in found) else 0
