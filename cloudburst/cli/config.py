"""``cloudburst config``: what runs on this machine would use."""

from __future__ import annotations

import click

_EPILOG = """\b
Example:
  cloudburst config
"""


@click.command("config", epilog=_EPILOG)
def command() -> None:
    """Say what pipelines use when they run on this machine.

    Beside each setting stands where it comes from, or where it can be changed.
    """
    from cloudburst import settings

    local = settings.local_settings()
    shown = {None: "in a terminal or a notebook", True: "always", False: "never"}[settings.progress_wanted(None)]
    rows = (
        ("provider", "this machine", "the default"),
        ("workers", f"{local.workers}", "cb.init_local(workers=...)"),
        ("memory", f"{local.memory_mib / 1024:.3g} GB", "cb.init_local(memory=...)"),
        ("storage", "a private directory, gone with the program", "cb.init_local(storage=...)"),
        ("progress", shown, "CLOUDBURST_PROGRESS=0 or 1, compute(progress=...)"),
    )
    for name, value, where in rows:
        click.echo(f"{name:<10}{value:<44}{where}")
