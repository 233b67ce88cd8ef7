"""Fills in what a directory of companies knows about a lead's employer."""

from dataclasses import dataclass
from typing import Annotated

from relata_plugin import (
    Context,
    Of,
    Plugin,
    Reference,
    Skip,
    http,
    log,
    records,
    secrets,
    skip,
    state,
)

COUNTER = "looked_up"

plugin = Plugin()


@dataclass
class Input:
    lead: Annotated[Reference, Of("lead")]
    """The lead whose company is not known yet."""


@dataclass
class Output:
    company: str
    """The company's name."""
    company_size: int | None
    """How many people work there, if that is known."""
    looked_up: int
    """How many companies were found so far."""


@dataclass
class Company:
    """What the directory answers."""

    name: str
    employees: int | None


@plugin.action(
    title="Fill in a lead's company",
    reads=["lead.email", "lead.company"],
    writes=["lead.company", "lead.company_size"],
    exclusive="enrich/counter",
)
def company(ctx: Context, input: Input) -> Output | Skip:
    """Looks up the domain of a lead's mail address, and fills in the company's
    name and size. A lead that has a company keeps it."""
    lead = records.get(input.lead)
    if lead["company"]:
        return skip(f"{lead.reference} already has a company")
    _, _, domain = (lead["email"] or "").rpartition("@")
    if not domain:
        return skip(f"{lead.reference} has no mail address")

    found = look_up(domain)
    if found is None:
        return skip(f"no company is known at {domain}")

    records.update(lead.reference, {"company": found.name, "company_size": found.employees})
    log.info("filled in a company", lead=lead.reference)
    return Output(found.name, found.employees, looked_up=count())


def look_up(domain: str) -> Company | None:
    token = secrets.placeholder("companies-token")
    response = http.get(
        "https://companies.example/v1/companies",
        query={"domain": domain},
        headers={"authorization": f"Bearer {token}"},
    )
    if response.status == 404:
        return None
    return response.raise_for_status().parse(Company)


def count() -> int:
    """Counts one more. An update that somebody else made meanwhile is a
    conflict, and none is lost."""
    item = state.get(COUNTER)
    number = (item.value if item else 0) + 1
    state.put(COUNTER, number, if_revision=item.revision if item else 0)
    return number
