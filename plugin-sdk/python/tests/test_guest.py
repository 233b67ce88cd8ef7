"""Actions, from their declaration to what the host gets of them."""

import json
import sys
import unittest
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from relata_plugin import Context, Error, Of, Plugin, Reference, Retry, Skip, records, retry, skip
from relata_plugin._guest import Guest

from . import stand_in
from .stand_in import Host

plugin = Plugin()


@dataclass
class Input:
    lead: Annotated[Reference, Of("lead")]
    how: str = "done"


@dataclass
class Output:
    said: str
    size: int | None = None


@plugin.action(
    title="Do this or that",
    reads=["lead.name"],
    writes=["lead.name", "lead.size"],
    correlation={"survey.answered": "said"},
    exclusive="lead/{lead}",
    idempotent=False,
)
def act(ctx: Context, input: Input) -> Output | Skip | Retry:
    """Does this,
    or that."""
    match input.how:
        case "done":
            return Output(f"{ctx.subject} {ctx.attempt}")
        case "skip":
            return skip("nothing to do")
        case "retry":
            return retry(timedelta(minutes=5), "not yet")
        case "long retry":
            return retry(timedelta(days=400), "much later")
        case "fail":
            raise Error("transient", "busy", retry_after=timedelta(seconds=1.5), details={"at": 7})
        case "read":
            records.get(input.lead)
        case "divide":
            return Output(str(1 // 0))
        case "json":
            json.loads("{")
        case "exit":
            sys.exit(3)
        case "memory":
            raise MemoryError
        case "deep":
            return act(ctx, input)
        case "nan":
            return Output("", size=float("nan"))  # type: ignore[arg-type]
    return {"said": "a dict"}  # type: ignore[return-value]


@plugin.action(title="Nothing to say")
def quiet(ctx: Context, input: Input) -> None:
    pass


HERE = str(Path(__file__).parent) + "/"


def line_of(text: str) -> int:
    """The first line of this file with a text."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Calls(unittest.TestCase):
    def setUp(self) -> None:
        self.host = Host().install()
        self.guest = Guest(plugin, {HERE: "src/"})

    def run_action(self, action: str = "act", **input: Any) -> Any:
        text = json.dumps({"lead": "lead/anna", **input})
        return self.guest.run(stand_in.context(), action, text)

    def refused(self, action: str = "act", **input: Any) -> Any:
        with self.assertRaises(stand_in.Err) as refused:
            self.run_action(action, **input)
        return refused.exception.value

    def test_outcomes(self) -> None:
        self.assertEqual(self.run_action(), stand_in.Done('{"said": "lead/anna 2", "size": null}'))
        self.assertEqual(self.run_action("quiet"), stand_in.Done("{}"))
        self.assertEqual(self.run_action(how="skip"), stand_in.Skip("nothing to do"))
        self.assertEqual(self.run_action(how="retry"), stand_in.Retry((300_000, "not yet")))
        self.assertEqual(
            self.run_action(how="long retry"), stand_in.Retry((2**32 - 1, "much later"))
        )

    def test_an_error_goes_to_the_host_as_it_is(self) -> None:
        error = self.refused(how="fail")
        self.assertEqual(
            error, stand_in.HostError(stand_in.Code.TRANSIENT, "busy", 1_500, '{"at": 7}')
        )
        self.assertEqual(self.host.panics, [])

    def test_an_error_of_the_host_goes_back_to_it(self) -> None:
        error = self.refused(how="read")
        self.assertEqual(error.code.name, "NOT_FOUND")
        self.assertEqual(error.message, "there is no lead/anna")
        self.assertEqual(self.host.panics, [])

    def test_an_input_that_does_not_fit(self) -> None:
        error = self.refused(lead=7)
        self.assertEqual(error.code.name, "INVALID")
        self.assertEqual(
            error.message,
            "the input does not fit the action `act`: `lead` should be a text, not a number",
        )

    def test_an_unknown_action(self) -> None:
        error = self.refused("other")
        self.assertEqual(error.code.name, "NOT_FOUND")
        self.assertEqual(error.message, "this plugin has no action `other`; it has act, quiet")

    def test_an_exception_is_a_panic_with_its_place(self) -> None:
        cases = [
            ("divide", "ZeroDivisionError: integer division or modulo by zero", "1 // 0"),
            ("exit", "SystemExit: 3", "sys.exit(3)"),
            (
                "memory",
                "out of memory: raise memory_mib under [limits] in plugin.toml",
                "raise MemoryError",
            ),
        ]
        for how, message, text in cases:
            with self.subTest(how=how):
                error = self.refused(how=how)
                location = f"src/test_guest.py:{line_of(text)}"
                self.assertEqual(self.host.panics.pop(), (message, location))
                self.assertEqual(error.code.name, "PERMANENT")
                self.assertEqual(error.message, f"{message} ({location})")

    def test_the_place_of_a_panic_is_the_authors_innermost_line(self) -> None:
        error = self.refused(how="json")
        location = f"src/test_guest.py:{line_of('json.loads(')}"
        self.assertEqual(self.host.panics[0][1], location)
        traceback = json.loads(error.details)["traceback"]
        self.assertEqual(traceback[0], location)
        self.assertIn("json/decoder.py", traceback[-1])

    def test_a_recursion_tells_its_innermost_places_only(self) -> None:
        error = self.refused(how="deep")
        self.assertRegex(error.message, "^RecursionError: .*src/test_guest.py:")
        self.assertEqual(len(json.loads(error.details)["traceback"]), 20)

    def test_an_output_of_another_type_or_without_json(self) -> None:
        self.assertEqual(
            self.refused(how="?").message, "the action `act` declares Output and returned dict"
        )
        self.assertRegex(
            self.refused(how="nan").message, "^the output of the action `act` cannot be written"
        )

    def test_descriptors(self) -> None:
        described = self.guest.describe()
        self.assertEqual([descriptor.id for descriptor in described], ["act", "quiet"])
        first = described[0]
        self.assertEqual(first.title, "Do this or that")
        self.assertEqual(first.summary, "Does this,\nor that.")
        self.assertEqual((first.reads, first.writes), (["lead.name"], ["lead.name", "lead.size"]))
        self.assertEqual(
            (first.correlation[0].event, first.correlation[0].output_field),
            ("survey.answered", "said"),
        )
        self.assertEqual((first.exclusive, first.idempotent), ("lead/{lead}", False))
        self.assertEqual(
            json.loads(first.input_schema)["properties"]["lead"],
            {"type": "string", "format": "record/lead"},
        )
        self.assertEqual(json.loads(first.output_schema)["required"], ["said"])
        self.assertEqual(json.loads(described[1].output_schema), {"type": "object"})


class Declarations(unittest.TestCase):
    def refused(self, function: Any, **keywords: Any) -> str:
        with self.assertRaises(TypeError) as refused:
            Plugin().action(title="A", **keywords)(function)
        return str(refused.exception)

    def test_what_cannot_be_an_action(self) -> None:
        def Named(ctx: Context, input: Input) -> None: ...
        def lonely(ctx: Context) -> None: ...
        def silent(ctx: Context, input: Input): ...  # type: ignore[no-untyped-def]
        def double(ctx: Context, input: Input) -> Output | Input: ...
        def plain(ctx: Context, input: str) -> None: ...
        def odd(ctx: Context, input: Input) -> Literal["a"]: ...

        cases = [
            (Named, "the action `Named`: its name cannot be used"),
            (lonely, "declare it as `def name"),
            (silent, "declare it as `def name"),
            (double, "it returns one dataclass or None"),
            (plain, "the action `plain`: its input should be a dataclass"),
            (odd, "the action `odd`: its output should be a dataclass"),
        ]
        for function, why in cases:
            with self.subTest(why=why):
                self.assertIn(why, self.refused(function))

    def test_a_text_is_no_list_of_texts(self) -> None:
        def fine(ctx: Context, input: Input) -> None: ...

        self.assertEqual(
            self.refused(fine, writes="lead"),
            'the action `fine`: writes= is a list: writes=["lead"]',
        )

    def test_one_name_twice(self) -> None:
        def fine(ctx: Context, input: Input) -> None: ...

        twice = Plugin()
        twice.action(title="A")(fine)
        with self.assertRaisesRegex(TypeError, "the action `fine`: it is there twice"):
            twice.action(title="B")(fine)

    def test_codes_of_errors(self) -> None:
        with self.assertRaisesRegex(ValueError, "there is no error code `fatal`; there are denied"):
            Error("fatal", "no")  # type: ignore[arg-type]

    def test_details_of_errors_are_json(self) -> None:
        self.assertEqual(
            Error(
                "invalid", "no", details={"who": Reference("user/1"), "at": date(2026, 12, 24)}
            ).details,
            {"who": "user/1", "at": "2026-12-24"},
        )
        for wrong in ({(1, 2): 3}, float("nan")):
            with self.subTest(wrong=wrong), self.assertRaises((TypeError, ValueError)):
                Error("invalid", "no", details=wrong)
