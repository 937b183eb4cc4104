"""The command that runs the page for support and engineers."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.pass_obj
def web(obj: Any) -> None:
    """Open the page for support and engineers, on the address of the setting web_address, until it is stopped."""
    import uvicorn  # a second that other commands do without

    from pipeline.web.app import make_app
    from pipeline.web.safety import server_options

    settings = obj.settings
    app = make_app(settings)
    click.echo(f"Trail is on http://{settings.web_address}", err=True)
    uvicorn.run(app, log_level="warning", **server_options(settings.web_address))


COMMANDS = [web]
