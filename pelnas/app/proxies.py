"""``pelnas proxies``: how far zero-cost accuracy can be trusted."""

import typer

proxies = typer.Typer(help="How far the zero-cost proxies can be trusted.", no_args_is_help=True)
