"""The command that makes somebody's account for the support page: it asks for a password and prints what to add."""

from __future__ import annotations

import click

from pipeline.web.access import MAY, Actor, Person, read_people, write_person
from pipeline.web.passwords import NOBODYS, SHORTEST, hash_password


@click.command()
@click.argument("name")
@click.option("--role", type=click.Choice(list(MAY)), required=True, help="what they may do")
@click.option("--business", "businesses", multiple=True, help="id of a Business that they see, again for more; or all")
def account(name: str, role: str, businesses: tuple[str, ...]) -> None:
    """Make an account for NAME: asks for a password and prints the section to add to the `access` file."""
    listed = None if businesses == ("all",) or (not businesses and role != "support") else businesses
    actor = Actor(name, role, listed)
    unasked = write_person(Person(actor, NOBODYS)).encode("utf-8", "surrogateescape")
    read_people(unasked, "account", with_passwords=True)  # raises here, not after a password was typed twice
    # On the error stream, so that `>> access.toml` takes the section and nothing else.
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(password) < SHORTEST:
        raise click.ClickException(f"a password must have at least {SHORTEST} characters")
    click.echo(f"\n{write_person(Person(actor, hash_password(password)))}", nl=False)


COMMANDS = [account]
