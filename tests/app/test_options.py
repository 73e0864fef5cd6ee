"""Options are made from the fields of the configuration."""

from typing import Any

from typer.main import get_command

from pelnas.app.main import app
from pelnas.app.options import OPTIONS
from pelnas.config import affecting


def test_a_search_takes_every_option_of_a_setting_in_the_order_of_the_fields() -> None:
    group: Any = get_command(app)
    shown = [parameter.name for parameter in group.commands["search"].params]
    assert [name for name in shown if name in OPTIONS] == list(OPTIONS)


def test_a_default_is_shown_as_it_is_typed() -> None:
    group: Any = get_command(app)
    (shown,) = (p for p in group.commands["search"].params if p.name == "objective")
    assert shown.help.endswith("repeatable. Default: latency.")


def test_what_a_section_affects_all_of_its_settings_do() -> None:
    assert {"measurement.threads", "measurement.repeats"} < set(affecting("costs"))
    assert {"scoring.batch", "scoring.workers", "measurement.batch"} < set(affecting("time"))
    assert affecting("niches") == (
        *("space", "objectives", "limits", "partition"),
        *("scoring.resolution", "scoring.channels"),
    )
