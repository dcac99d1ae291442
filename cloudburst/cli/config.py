"""``cloudburst config``: what runs on this machine would use."""

from __future__ import annotations

import argparse

from cloudburst import settings

NAME = "config"
HELP = "say what pipelines use when they run on this machine"


def describe(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what this command takes: nothing."""
    parser.set_defaults(run=show)


def show(_: argparse.Namespace) -> None:
    """Print the settings of the local provider, and where each can be changed."""
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
        print(f"{name:<10}{value:<44}{where}")
