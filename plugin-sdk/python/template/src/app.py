"""A plugin with one action: it takes needless spaces out of a lead's name."""

from dataclasses import dataclass
from typing import Annotated

from relata_plugin import Context, Of, Plugin, Reference, Skip, log, records, skip

plugin = Plugin()


# The host checks an input against this before the call, and `relata check`
# checks workflows: what is not `… | None` and has no default must be there. The
# text after a field is its description.
@dataclass
class Input:
    lead: Annotated[Reference, Of("lead")]
    """The lead whose name is tidied."""


@dataclass
class Output:
    name: str
    """The name as it is now."""


# A workflow names it: `do: __NAME__.tidy_name`. What it reads and writes here,
# plugin.toml must permit too.
@plugin.action(title="Tidy up a lead's name", reads=["lead.name"], writes=["lead.name"])
def tidy_name(ctx: Context, input: Input) -> Output | Skip:
    """Takes needless spaces out of a lead's name."""
    # An error leaves the action at once, and all that it wrote is undone.
    lead = records.get(input.lead)
    name = tidy(lead["name"])
    if name == lead["name"]:
        return skip(f"the name of {input.lead} is tidy")

    records.update(input.lead, {"name": name})
    # The log is no place for what customers are called.
    log.info("tidied the name of a lead")
    return Output(name)


def tidy(text: str) -> str:
    return " ".join(text.split())
