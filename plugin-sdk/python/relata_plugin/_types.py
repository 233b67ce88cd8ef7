"""The types of inputs and outputs that mean more than their JSON says.

Their schemas carry a `format`, by which `relata check` knows that a text is a
lead and not merely a text, and the host turns what authors write into what
the action receives.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from .error import Error


class Schema:
    """Keywords of JSON Schema for a field: what its type does not say.

    lines: Annotated[int, Schema(minimum=1, maximum=100)] = 10
    set: Annotated[dict[str, Any], Schema({"x-fields-of": "record"})]
    """

    def __init__(self, keywords: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self.keywords = {**(keywords or {}), **more}


class Of(Schema):
    """Of which object a reference must be, so that a workflow that passes
    another is refused before it goes live.

    lead: Annotated[Reference, Of("lead")]
    assignee: Annotated[Reference, Of("user", "queue")]
    """

    def __init__(self, *objects: str) -> None:
        super().__init__(format="record/" + "|".join(objects))


class Reference(str):
    """A record's name: `lead/01980c5e-…`, or `team/dach` where the record has
    an external id. In a workflow: `record: =lead`. `Of` says of which object.
    """

    __slots__ = ()

    @property
    def object(self) -> str:
        """The object: `lead` in `lead/17`. Empty if the text is no reference."""
        object, slash, _ = self.partition("/")
        return object if slash else ""

    @property
    def id(self) -> str:
        """The id: `17` in `lead/17`. The whole text if it is no reference."""
        return self.partition("/")[2] or str(self)

    def expect(self, object: str) -> "Reference":
        """Itself, or an `invalid` error if it is a record of another object."""
        if self.object != object:
            raise Error("invalid", f"{self} is not a {object}")
        return self


class Template(str):
    """A mail template's name, such as `welcome`. That it exists is checked
    before a workflow goes live.
    """

    __slots__ = ()


Due = Annotated[datetime, Schema(format="due")]
"""A point in time. Authors write `48 hours` or `2 working days`; the action
receives the resulting instant, in UTC."""
