//! The keys of the language in one table: where each may stand, what it takes
//! and what it is for. The JSON Schema and the editor's help are made of it;
//! a test holds it against what the reader asks for.

/// What stands behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text that is written out.
    Text,
    /// The name of this workflow, blueprint or webhook.
    FileName,
    /// What the result is called from here on.
    ResultName,
    /// The name of an earlier step.
    StepName,
    /// One of these words, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
    /// `true` or `false`.
    YesNo,
    /// A whole number.
    Count(u32, u32),
    /// The external id of a record of this object.
    Record(&'static str),
    /// Several of them, or one.
    Records(&'static str),
    /// A role or a team.
    Owner,
    /// Who is asked: a role, a user, or a formula that yields a user.
    Asked,
    /// A formula that is yes or no, with or without `=`.
    Condition,
    /// Several of them, or one.
    Conditions,
    /// A formula, with or without `=`.
    Formula,
    /// A formula that yields a list, with `=`.
    ListFormula,
    /// `4 working hours`
    Duration,
    /// `24 hours`, or a point in time.
    Due,
    /// A duration, or `never`.
    AgainAfter,
    /// `50%`
    Share,
    /// `60 per hour`, with one of these units.
    Per(&'static [&'static str]),
    /// `3 times`
    Retry,
    /// An object's name.
    Object,
    /// `ticket.status`, or `ticket` alone.
    Change,
    /// The same of what a name or a path leads to.
    ChangeOf,
    /// `survey.answered`
    Event,
    /// `weekdays at 09:00`
    Phrase,
    /// `0 9 * * 1-5`
    Cron,
    /// `Europe/Berlin`
    Zone,
    /// The name of a secret.
    Secret,
    /// Another workflow's name.
    Workflow,
    /// A blueprint's name.
    Blueprint,
    /// `crm.update`
    Action,
    /// Any value: written out, `=formula`, text with `{{ }}`.
    Value,
    /// Values of a field, or one.
    FieldValues,
    /// Words, or one.
    List,
    /// Named values.
    Values,
    /// The inputs of the workflow that is run.
    With,
    /// The type of an input.
    InputType,
    /// The inputs: each a type, or a block of keys.
    Inputs,
    /// The arms of a split, each with its share.
    Arms,
    /// A list of steps.
    Steps,
    /// A block of keys.
    Block(Block),
    /// A list of such blocks.
    Blocks(Block),
}

/// A block of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// The file.
    Workflow,
    Trigger,
    Repeat,
    StopWhen,
    Limit,
    Step,
    /// Of `decide`.
    Row,
    /// Of `deadline`: a step with `at:`.
    Level,
    /// Of `wait_for`.
    Awaited,
    /// Of `if_it_fails`.
    Fallback,
    /// Of `inputs`.
    Input,
    /// Of `parallel`.
    Side,
}

/// A key, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// One or two sentences.
    pub(crate) doc: &'static str,
    /// Nothing works without it.
    pub(crate) required: bool,
}

const fn key(name: &'static str, form: Form, doc: &'static str) -> Key {
    Key { name, form, doc, required: false }
}

const fn needed(name: &'static str, form: Form, doc: &'static str) -> Key {
    Key { name, form, doc, required: true }
}

/// A key that says what sort of thing its block is, and the keys that go with
/// it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sort {
    pub(crate) key: Key,
    pub(crate) others: &'static [Key],
    /// A whole one, for an editor to put in.
    pub(crate) example: &'static str,
}

const WORKFLOW: &[Key] = &[
    key("workflow", Form::FileName, "The workflow's name: lower-case letters, digits and `-`."),
    key(
        "blueprint",
        Form::Blueprint,
        "Alone: this file is a blueprint of this name, and `inputs:` are its parameters. Beside `workflow:`: the blueprint that this workflow is made of.",
    ),
    key("title", Form::Text, "What people call it, in a few words."),
    key("owner", Form::Owner, "Who answers for it: a role or a team."),
    key(
        "calendar",
        Form::Record("calendar"),
        "The calendar that says when working hours and days are.",
    ),
    key("when", Form::Blocks(Block::Trigger), "What starts a run; any one of them."),
    key("about", Form::Object, "The object that a run is about, where others run it."),
    key(
        "inputs",
        Form::Inputs,
        "What a run is started with: the fields of a button's form, the body of a webhook, the arguments of `run:`, the parameters of a blueprint. Each is a variable.",
    ),
    key("only_if", Form::Conditions, "Conditions that must all hold, or no run starts."),
    key("never_for", Form::Records("segment"), "Segments whose members get no run."),
    key("repeat", Form::Block(Block::Repeat), "How often it runs for one and the same."),
    key("stop_when", Form::Blocks(Block::StopWhen), "What ends a run before its last step."),
    key(
        "send_in",
        Form::Record("calendar"),
        "The calendar in which messages may go out: quiet hours for all others.",
    ),
    key(
        "hold_above",
        Form::Per(&["hour", "day", "week"]),
        "More messages than this are held until the owner lets them go: `2000 per day`.",
    ),
    key(
        "limits",
        Form::Blocks(Block::Limit),
        "How many of its runs may be at work at once, and how fast they may begin.",
    ),
    key("steps", Form::Steps, "What a run does, one step after another."),
    key("on_error", Form::Steps, "What runs when a step has failed for good."),
    key("finally", Form::Steps, "What runs at the end, however the run ends."),
    key(
        "outputs",
        Form::Values,
        "What the run yields to whoever ran it, where it ends after its last step.",
    ),
];

const FROM: Key = key("from", Form::FieldValues, "Only where it was one of these before.");
const TO: Key = key("to", Form::FieldValues, "Only where it becomes one of these.");

const CREATED: Sort = Sort {
    key: key("created", Form::Object, "A record of this object is created."),
    others: &[],
    example: "created: lead",
};
const CHANGED: Sort = Sort {
    key: key(
        "changed",
        Form::Change,
        "A field of a record changes: `ticket.status`. Without a field: any change.",
    ),
    others: &[FROM, TO],
    example: "changed: ticket.status\n  to: solved",
};
const ENTERS: Sort = Sort {
    key: key(
        "enters",
        Form::Record("segment"),
        "A contact begins to meet the rule of this segment.",
    ),
    others: &[],
    example: "enters: segment/dormant-90-days",
};
const EVENT: Sort = Sort {
    key: key("event", Form::Event, "An event that an object declares: `order.paid`."),
    others: &[],
    example: "event: order.paid",
};
const ZONE: Key = needed(
    "time_zone",
    Form::Zone,
    "The time zone of the schedule, an IANA name such as Europe/Berlin.",
);
const IF_MISSED: Key = key(
    "if_missed",
    Form::Words(&[
        ("once", "one run for all times that were missed"),
        ("all", "a run for each time that was missed"),
        ("skip", "no run; each is recorded as missed"),
    ]),
    "What becomes of the times at which the host was away; `once` if not said.",
);

/// What a trigger may be.
pub(crate) const TRIGGERS: &[Sort] = &[
    CREATED,
    CHANGED,
    ENTERS,
    EVENT,
    Sort {
        key: key(
            "schedule",
            Form::Phrase,
            "By the clock, in words: `weekdays at 09:00`, `every hour`.",
        ),
        others: &[ZONE, IF_MISSED],
        example: "schedule: weekdays at 09:00\n  time_zone: Europe/Berlin",
    },
    Sort {
        key: key(
            "cron",
            Form::Cron,
            "By the clock, as a cron expression: minute, hour, day, month, weekday.",
        ),
        others: &[ZONE, IF_MISSED],
        example: "cron: \"0 9 * * 1-5\"\n  time_zone: Europe/Berlin",
    },
    Sort {
        key: key(
            "webhook",
            Form::FileName,
            "Another program calls `POST /hooks/NAME`; the fields of the body are the inputs.",
        ),
        others: &[
            key(
                "secret",
                Form::Secret,
                "The secret with which the calls are signed (Standard Webhooks).",
            ),
            key("unsigned", Form::YesNo, "`true` where anybody may call."),
        ],
        example: "webhook: shop-orders\n  secret: shop-webhook",
    },
    Sort {
        key: key("button", Form::Text, "A person presses a button of this name."),
        others: &[key("about", Form::Object, "The object on whose records' pages the button is.")],
        example: "button: Offer a discount\n  about: contact",
    },
];

const LIMIT: &[Key] = &[
    key(
        "at_once",
        Form::Count(1, 10_000),
        "So many may be at work at once, on all hosts together; those that wait for something do not count.",
    ),
    key(
        "pace",
        Form::Per(&["second", "minute", "hour", "day"]),
        "How fast they may begin: `60 per hour` is one a minute.",
    ),
    key(
        "per",
        Form::Formula,
        "For each value of this by itself: `ticket.customer`. For all runs together if not said.",
    ),
];

const REPEAT: &[Key] = &[
    key(
        "one_per",
        Form::Formula,
        "What counts as the same: `contact`, `ticket.customer`. The run's subject if not said.",
    ),
    key("again_after", Form::AgainAfter, "When it may run again: `30 days`, or `never`."),
    key(
        "counted_from",
        Form::StepName,
        "The step from which the time counts; from the start if not said.",
    ),
    key(
        "while_running",
        Form::Words(&[
            ("ignore", "it is recorded, and nothing starts"),
            ("restart", "the run ends, and another begins"),
            ("queue", "another begins when the run has ended"),
            ("parallel", "another begins beside it"),
        ]),
        "What a trigger does while a run for the same is going on; `ignore` if not said.",
    ),
];

const OUTCOME: Key = key(
    "outcome",
    Form::Text,
    "What the end is called in lists and figures; `stopped` if not said.",
);

/// What may end a run.
pub(crate) const STOPS: &[Sort] = &[
    Sort { others: &[OUTCOME], ..CREATED },
    Sort { others: &[FROM, TO, OUTCOME], ..CHANGED },
    Sort { others: &[OUTCOME], ..ENTERS },
    Sort { others: &[OUTCOME], ..EVENT },
];

/// What `wait_for` may wait for.
pub(crate) const AWAITED: &[Sort] = &[
    Sort {
        key: key(
            "changed",
            Form::ChangeOf,
            "A field of a record changes: `lead.status`. A value that it has already counts at once.",
        ),
        others: &[FROM, TO],
        example: "changed: lead.status\n  to: in_process",
    },
    EVENT,
];

const ROW: &[Key] = &[
    key(
        "if",
        Form::Condition,
        "The row holds where this does. The last row has none: it takes everything else.",
    ),
    needed(
        "use",
        Form::Value,
        "What the decision yields in this row: a value, or a block of values.",
    ),
];

const FALLBACK: &[Key] = &[needed(
    "use",
    Form::Value,
    "The step's result where it has failed for good; the run goes on with it.",
)];

const INPUT: &[Key] = &[
    needed(
        "type",
        Form::InputType,
        "text, number, yes/no, date, time, duration, money, record, the name of an object, a list of words, or `list of …`.",
    ),
    key("title", Form::Text, "What people call it, on a form."),
    key("default", Form::Value, "What it is where nothing is given."),
    key("optional", Form::YesNo, "`true` where it may be left out and has no default."),
];

const SIDE: &[Key] = &[needed("steps", Form::Steps, "The steps of this branch.")];

const AS: Key = key("as", Form::ResultName, "What the result is called from here on.");
const IF_IT_FAILS: Key = key(
    "if_it_fails",
    Form::Block(Block::Fallback),
    "What the run goes on with where the step has failed for good; without it, it goes to `on_error`.",
);
const AT: Key = needed(
    "at",
    Form::Share,
    "When: the share of the deadline's time that has gone by, such as `50%`.",
);

const LEVEL: &[Key] = &[AT, key("steps", Form::Steps, "Several steps, in place of one.")];

/// What a step may be.
pub(crate) const STEPS: &[Sort] = &[
    Sort {
        key: key("do", Form::Action, "Calls an action of a plugin; its arguments stand beside it."),
        others: &[
            AS,
            key(
                "retry",
                Form::Retry,
                "How often a failed call is tried again: `3 times`, `5 times, first after 1 minute`, `never`.",
            ),
            IF_IT_FAILS,
            key(
                "if_unknown",
                Form::Text,
                "What becomes of a message of which nobody knows whether it went out: `retry`, `hold` or `skip`; `hold` if not said.",
            ),
            key(
                "may",
                Form::List,
                "What the plugin may do here, of what it may do at all: `read lead.email`, `update lead.company`, `call api.example.com`.",
            ),
        ],
        example: "do: crm.update\n  record: =lead\n  set: { status: assigned }",
    },
    Sort {
        key: key(
            "decide",
            Form::ResultName,
            "Gives a name to the value of the first row that holds.",
        ),
        others: &[needed(
            "rows",
            Form::Blocks(Block::Row),
            "The rows, in order; the last has no `if`.",
        )],
        example: "decide: team\n  rows:\n    - if: lead.country == \"DE\"\n      use: dach\n    - use: international",
    },
    Sort {
        key: key(
            "if",
            Form::Condition,
            "Goes one way where a condition holds, and another where it does not.",
        ),
        others: &[
            needed("then", Form::Steps, "The steps where it holds."),
            key("else", Form::Steps, "The steps where it does not."),
        ],
        example: "if: lead.owner is empty\n  then:\n    - wait: 1 hour",
    },
    Sort {
        key: key(
            "wait",
            Form::Due,
            "Waits for a length of time: `24 hours` is elapsed time, `1 day` the same local time on the next day.",
        ),
        others: &[key(
            "resume_in",
            Form::Record("calendar"),
            "Then waits until the next opening of this calendar.",
        )],
        example: "wait: 24 hours",
    },
    Sort {
        key: key("wait_until", Form::Due, "Waits until a day or a point in time."),
        others: &[key(
            "resume_in",
            Form::Record("calendar"),
            "Then waits until the next opening of this calendar.",
        )],
        example: "wait_until: =lead.created_at + 2 days",
    },
    Sort {
        key: key("wait_for", Form::Block(Block::Awaited), "Waits until something happens."),
        others: &[
            key(
                "since",
                Form::StepName,
                "Counts what happened since this step: an answer that came before the wait began is not lost.",
            ),
            key("up_to", Form::Duration, "How long; for ever if not said."),
            AS,
            key("then", Form::Steps, "The steps where it has happened in time."),
            key("otherwise", Form::Steps, "The steps where it has not."),
        ],
        example: "wait_for: { event: survey.answered }\n  up_to: 7 days",
    },
    Sort {
        key: key(
            "deadline",
            Form::Duration,
            "Watches that something happens within a time, and acts at shares of it.",
        ),
        others: &[
            key(
                "calendar",
                Form::Record("calendar"),
                "The calendar of its working time; the workflow's if not said.",
            ),
            needed("met_when", Form::Condition, "Ends the deadline as met as soon as it holds."),
            key("pause_while", Form::Condition, "The clock stands while it holds."),
            needed(
                "levels",
                Form::Blocks(Block::Level),
                "What happens at which share of the time, in rising order.",
            ),
        ],
        example: "deadline: 4 working hours\n  met_when: ticket.first_reply_at is not empty\n  levels:\n    - at: 100%\n      do: notify.role",
    },
    Sort {
        key: key(
            "split",
            Form::ResultName,
            "Draws an arm by lot, always the same for one and the same subject.",
        ),
        others: &[needed("arms", Form::Arms, "The arms and their shares, which add up to 100%.")],
        example: "split: offer\n  arms: { ten_percent: 50%, nothing: 50% }",
    },
    Sort {
        key: key(
            "set",
            Form::Values,
            "Gives values to names. A name that is there already gets another value of the same kind.",
        ),
        others: &[],
        example: "set: { total: 0 }",
    },
    Sort {
        key: key("for_each", Form::ListFormula, "Runs steps for every item of a list."),
        others: &[
            needed("as", Form::ResultName, "What an item is called."),
            key(
                "only_if",
                Form::Condition,
                "Items for which it does not hold are left out, and told.",
            ),
            key(
                "at_once",
                Form::Count(1, 50),
                "How many items may be under way at a time; 1 if not said.",
            ),
            key(
                "pace",
                Form::Per(&["second", "minute", "hour", "day"]),
                "How fast items may begin: `60 per hour`.",
            ),
            needed(
                "steps",
                Form::Steps,
                "What runs for each item. Results inside are not seen outside.",
            ),
        ],
        example: "for_each: =found.records\n  as: customer\n  steps:\n    - wait: 1 hour",
    },
    Sort {
        key: key(
            "parallel",
            Form::Blocks(Block::Side),
            "Runs branches side by side, and goes on when all have ended.",
        ),
        others: &[],
        example: "parallel:\n    - steps:\n        - wait: 1 hour\n    - steps:\n        - wait: 2 hours",
    },
    Sort {
        key: key("run", Form::Workflow, "Runs another workflow, and goes on with what it yields."),
        others: &[
            key("with", Form::With, "Values for its inputs."),
            key("about", Form::Value, "The record that it is about, where it is about one."),
            key("up_to", Form::Duration, "How long it may take; for ever if not said."),
            IF_IT_FAILS,
            AS,
        ],
        example: "run: inspect-return\n  with: { reason: late }\n  as: verdict",
    },
    Sort {
        key: key(
            "ask",
            Form::Asked,
            "Asks a person, and goes on with the answer: a role, or `=` and a user.",
        ),
        others: &[
            needed("question", Form::Value, "What is asked."),
            key("answers", Form::List, "The words to choose from; yes and no if not said."),
            key(
                "about",
                Form::Value,
                "The record that it is about; the run's subject if not said.",
            ),
            key("up_to", Form::Duration, "How long there is to answer; for ever if not said."),
            key("as", Form::ResultName, "What the answer is called: `.answer`, `.by`, `.comment`."),
            key("otherwise", Form::Steps, "The steps where nobody answered in time."),
        ],
        example: "ask: sales-lead\n  question: \"Give {{ contact.name }} 20 % off?\"\n  answers: [approve, reject]\n  up_to: 2 days\n  as: approval",
    },
    Sort {
        key: key("stop_if", Form::Condition, "Ends the run where a condition holds."),
        others: &[],
        example: "stop_if: lead.owner is not empty",
    },
    Sort {
        key: key("stop_unless", Form::Condition, "Ends the run where a condition does not hold."),
        others: &[],
        example: "stop_unless: ticket.category == \"complaint\"",
    },
];

impl Block {
    /// What it is, in a sentence.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Workflow => "a workflow",
            Self::Trigger => "a trigger",
            Self::Repeat => "`repeat`",
            Self::StopWhen => "what ends a run",
            Self::Step => "a step",
            Self::Row => "a row",
            Self::Level => "a level",
            Self::Awaited => "`wait_for`",
            Self::Fallback => "`if_it_fails`",
            Self::Input => "an input",
            Self::Side => "a branch",
            Self::Limit => "a limit",
        }
    }

    /// The keys that it always may have.
    pub(crate) const fn keys(self) -> &'static [Key] {
        match self {
            Self::Workflow => WORKFLOW,
            Self::Repeat => REPEAT,
            Self::Limit => LIMIT,
            Self::Row => ROW,
            Self::Fallback => FALLBACK,
            Self::Input => INPUT,
            Self::Side => SIDE,
            Self::Level => LEVEL,
            Self::Trigger | Self::StopWhen | Self::Step | Self::Awaited => &[],
        }
    }

    /// What sorts there are of it; none where there is only one.
    pub(crate) const fn sorts(self) -> &'static [Sort] {
        match self {
            Self::Trigger => TRIGGERS,
            Self::StopWhen => STOPS,
            Self::Awaited => AWAITED,
            Self::Step | Self::Level => STEPS,
            _ => &[],
        }
    }

    /// Which sort a block with these keys is.
    pub(crate) fn sort<'a>(self, keys: impl Iterator<Item = &'a str>) -> Option<&'static Sort> {
        let keys: Vec<&str> = keys.collect();
        // The fields of `crm.update` stand under `set`, beside `do`.
        let is_call = keys.contains(&"do");
        self.sorts()
            .iter()
            .find(|sort| keys.contains(&sort.key.name) && !(is_call && sort.key.name != "do"))
    }

    /// A key of a block that has these keys.
    pub(crate) fn key<'a>(
        self,
        name: &str,
        keys: impl Iterator<Item = &'a str>,
    ) -> Option<&'static Key> {
        let own = self.keys().iter().find(|key| key.name == name);
        own.or_else(|| {
            let sort = self.sort(keys)?;
            (sort.key.name == name)
                .then_some(&sort.key)
                .or_else(|| sort.others.iter().find(|key| key.name == name))
        })
        .or_else(|| self.sorts().iter().map(|sort| &sort.key).find(|key| key.name == name))
    }
}
