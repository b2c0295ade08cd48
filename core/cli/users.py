"""`steer users`: the accounts, for servers that require them."""

from typing import Annotated

import typer
from rich.table import Table

from core.cli.options import RunsDir, StoreUrl, asked, confirm, console, open_store_from_options
from core.platform.pages.uploads import remove_all
from core.platform.store import accounts
from core.platform.store.accounts import Role
from core.platform.store.erasure import erase_person
from core.util.paths import runs_dir

app = typer.Typer(no_args_is_help=True, help="Users, their roles, passwords and API keys.")

Name = Annotated[str, typer.Argument(help="Name of the user.")]
PasswordFile = Annotated[
    typer.FileText | None,
    typer.Option(help="File whose first line is the password, or - for standard input; by default it is asked."),
]


@app.command(epilog="Example: `steer users add ann --role agent`")
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="Rights: viewer, own things; agent, everybody's; admin, users too.")],
    password_file: PasswordFile = None,
    apps: Annotated[
        list[str] | None, typer.Option("--app", help="Name of an app or workspace that they may use; all by default.")
    ] = None,
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Create a user."""
    password = _password(password_file)
    with open_store_from_options(store, runs).transaction() as session:
        user = accounts.create(session, name, password, role, apps or None)
    console.print(f"{user.name} may log in as {user.role}" + (f", for {', '.join(user.apps)}" if user.apps else ""))


@app.command("list", epilog="Example: `steer users list`")
def list_users(store: StoreUrl = None, runs: RunsDir = None) -> None:
    """Show all users and API keys."""
    with open_store_from_options(store, runs).reading() as session:
        users, keys = accounts.everybody(session), accounts.keys(session)
    table = Table("name", "role", "apps", "since", "state")
    for user in users:
        state = "disabled" if user.disabled else "enabled"
        table.add_row(user.name, user.role, ", ".join(user.apps or ["all"]), f"{user.created:%Y-%m-%d}", state)
    console.print(table)
    if keys:
        table = Table("key id", "user", "name", "since", "state")
        for owner, key in keys:
            state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "valid"
            table.add_row(key.id, owner, key.name, f"{key.created:%Y-%m-%d}", state)
        console.print(table)


@app.command(epilog="Example: `steer users role ann admin`")
def role(
    name: Name,
    new: Annotated[Role, typer.Argument(help="New role of the user.")],
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Change a user's role, at once."""
    with open_store_from_options(store, runs).transaction() as session:
        accounts.set_role(session, name, new)
    console.print(f"{name} is now {new}")


@app.command("apps", epilog="Examples: `steer users apps ann my-shop my-desk`, `steer users apps ann all`")
def change_apps(
    name: Name,
    apps: Annotated[list[str], typer.Argument(help="Names of the apps and workspaces that they may use, or `all`.")],
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Change which apps and workspaces a user may use, at once."""
    with open_store_from_options(store, runs).transaction() as session:
        accounts.set_apps(session, name, None if apps == ["all"] else apps)
    console.print(f"{name} may use {', '.join(apps)}")


@app.command(epilog="Example: `steer users password ann`")
def password(name: Name, password_file: PasswordFile = None, store: StoreUrl = None, runs: RunsDir = None) -> None:
    """Change a user's password, and end their sessions."""
    text = _password(password_file)
    with open_store_from_options(store, runs).transaction() as session:
        accounts.set_password(session, name, text)
    console.print(f"{name} has a new password")


@app.command(epilog="Example: `steer users disable ann`")
def disable(name: Name, store: StoreUrl = None, runs: RunsDir = None) -> None:
    """Disable a user; what they made stays."""
    with open_store_from_options(store, runs).transaction() as session:
        accounts.disable(session, name)
    console.print(f"{name} is disabled")


@app.command(epilog="Example: `steer users enable ann`")
def enable(name: Name, store: StoreUrl = None, runs: RunsDir = None) -> None:
    """Enable a disabled user again."""
    with open_store_from_options(store, runs).transaction() as session:
        accounts.enable(session, name)
    console.print(f"{name} is enabled")


@app.command(epilog="Example: `steer users delete ann`")
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Erase a user: account, keys, conversations, profile, decisions, opinions; `local` is use without accounts."""
    opened = open_store_from_options(store, runs)
    if not yes:
        confirm(f"Erase {name} and everything that they made?")
    with opened.transaction() as session:
        rows = erase_person(session, name)
    remove_all(runs or runs_dir())
    opened.scrubber.scrub()
    console.print(f"{name} is erased, with {rows} rows")


@app.command(epilog="Example: `steer users key ann --name ci`")
def key(
    name: Name,
    label: Annotated[str, typer.Option("--name", help="Name of the key, which says what it is for.")],
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Issue an API key with a user's rights, and print it this once; nothing else goes to standard output."""
    with open_store_from_options(store, runs).transaction() as session:
        record, secret = accounts.issue_key(session, name, label)
    typer.echo(f"id of this key: {record.id}; it is not shown again", err=True)
    typer.echo(secret)


@app.command(epilog="Example: `steer users revoke 0f3b9c5e2d7a4c61b8e0a1d2c3f4e5a6`")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `steer users list` shows it.")],
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Revoke an API key."""
    with open_store_from_options(store, runs).transaction() as session:
        revoked = accounts.revoke_key(session, key_id)
    console.print(f"the key {revoked.name} is revoked")


def _password(file: typer.FileText | None) -> str:
    if file is not None:
        return file.readline().rstrip("\r\n")
    return asked(
        lambda: str(typer.prompt("Password", hide_input=True, confirmation_prompt=True)),
        "give the password with --password-file FILE, or - for standard input",
    )
