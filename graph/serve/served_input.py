"""What clients of the served search give, described so that they can draw a form for it."""

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from pelnas.config import SearchConfig
from pelnas.graph.search.state import SearchInput
from pelnas.graph.serve.policy import OPEN


class SettingsForm:
    """Gives plain settings the JSON schema of those that clients may choose."""

    def __get_pydantic_json_schema__(
        self, _: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(SearchConfig.__pydantic_core_schema__)
        whole = dict(handler.resolve_ref_schema(schema))
        fields = whole["properties"]
        return whole | {"properties": {name: fields[name] for name in OPEN}}


class ServedInput(SearchInput, total=False):
    """A search to begin. ``settings``: those of ``OPEN``; what is left out is the owner's."""

    settings: Annotated[dict[str, Any], SettingsForm()]
