"""The one error of a plugin, and what the host does about it."""

import json
from datetime import timedelta
from typing import Any, Literal, get_args

Code = Literal[
    "denied",
    "invalid",
    "not-found",
    "conflict",
    "limit",
    "transient",
    "permanent",
    "cancelled",
]
"""What kind of failure it was.

`transient`, `conflict` and `limit` are tried again as the workflow's `retry:`
says; the others are not:

- `denied`: the plugin lacks a permission.
- `invalid`: the input, or a value written to a record, is wrong.
- `not-found`: no such record, template, team, queue or key.
- `conflict`: somebody else changed it meanwhile.
- `limit`: a limit of the sandbox or of a web service was reached.
- `transient`: it may work later.
- `permanent`: it will never work.
- `cancelled`: the run was cancelled.
"""


class Error(Exception):
    """Why something did not work, in words for the operations staff: what was
    tried, on what, and how to mend it.

        raise Error("transient", "the service is busy", retry_after=timedelta(seconds=30))

    What the host refuses is raised as one too. Any other exception that leaves
    an action is a fault of the plugin: the operator reads its message with
    file and line, and the step is not tried again.
    """

    code: Code
    message: str
    retry_after: timedelta | None
    """Not before so long; for `transient` and `limit`."""
    details: Any
    """More for machines to read, such as the rejected candidates, as JSON. What
    has none is there as `str()` has it."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        retry_after: timedelta | None = None,
        details: Any = None,
    ) -> None:
        if code not in get_args(Code):
            known = ", ".join(get_args(Code))
            raise ValueError(f"there is no error code `{code}`; there are {known}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        # Checked here, where the author's line is known.
        self.details = json.loads(json.dumps(details, default=str, allow_nan=False))
