//! Random workflows.

use std::collections::BTreeMap;

use relata_model::{Decimal, Value};
use relata_workflow::{
    Argument, BlockId, Conversion, Deadline, Definition, Do, Expression, ForEach, Formula, Input,
    Level, Occurrence, Output, Pace, Retry, Row, Slot, Step, StepId, StepKind, StopWhen, SubRun,
    Type, WaitFor,
};

/// xorshift64*: small, and the same everywhere.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }
}

pub(crate) const STATUSES: [&str; 4] = ["open", "waiting_for_customer", "on_hold", "solved"];
pub(crate) const PRIORITIES: [&str; 3] = ["low", "normal", "urgent"];

pub(crate) fn formula(source: &str) -> Formula {
    let ticket = Slot { kind: Type::Record(vec!["ticket".to_owned()]), optional: false };
    let mut variables = BTreeMap::from([
        ("ticket".to_owned(), ticket),
        ("total".to_owned(), Slot::of(Type::Number)),
    ]);
    for depth in 0..4 {
        variables.insert(format!("item_{depth}"), Slot::of(Type::Any));
    }
    Formula::parse_value(source, &variables, &super::OBJECTS)
        .unwrap_or_else(|why| panic!("{source}: {why:?}"))
        .0
}

pub(crate) fn text(text: &str) -> Expression {
    Expression::Literal(Value::Text(text.to_owned()))
}

pub(crate) fn duration(written: &str) -> Expression {
    Expression::Literal(Value::Duration(written.parse().unwrap()))
}

/// Makes a random workflow.
pub(crate) struct Maker<'a> {
    draw: &'a mut Draw,
    def: Definition,
    names: Vec<String>,
    /// What the items of the loops around the step are called, where they
    /// are tickets.
    tickets: Vec<String>,
    /// How many loops are around the step.
    loops: usize,
}

impl Maker<'_> {
    pub(crate) fn workflow(draw: &mut Draw) -> Definition {
        let def = Definition {
            name: "simulated".to_owned(),
            title: String::new(),
            owner: None,
            calendar: Some("support-hours".to_owned()),
            subject: Some("ticket".to_owned()),
            triggers: Vec::new(),
            only_if: Vec::new(),
            never_for: Vec::new(),
            repeat: None,
            stop_when: Vec::new(),
            send_in: None,
            hold_above: None,
            limits: Vec::new(),
            steps: Vec::new(),
            blocks: Vec::new(),
            main: BlockId(0),
            on_error: None,
            inputs: vec![Input {
                name: "total".to_owned(),
                slot: Slot::of(Type::Number),
                default: Some(Value::Number(Decimal::ZERO)),
                title: None,
            }],
            constants: BTreeMap::from([("one".to_owned(), Value::Number(Decimal::ONE))]),
            finally: None,
            outputs: vec![Output {
                name: "total".to_owned(),
                value: Expression::Formula(formula("total")),
                slot: Slot::of(Type::Number),
            }],
        };
        let mut maker = Maker { draw, def, names: Vec::new(), tickets: Vec::new(), loops: 0 };
        maker.def.main = maker.block("steps", 0, 5);
        if maker.draw.one_in(3) {
            maker.def.finally = Some(maker.block("finally", 2, 2));
        }
        if maker.draw.one_in(2) {
            maker.def.on_error = Some(maker.block("on_error", 2, 2));
        }
        if maker.draw.one_in(4) {
            maker.def.stop_when.push(StopWhen {
                occurrence: Occurrence::Event { name: "order.paid".to_owned() },
                outcome: Some("bought".to_owned()),
            });
        }
        maker.def
    }

    fn block(&mut self, path: &str, depth: u32, longest: u64) -> BlockId {
        let count = self.draw.below(longest) + 1;
        let steps = (0..count).map(|place| self.step(&format!("{path}[{place}]"), depth)).collect();
        let id = BlockId(u32::try_from(self.def.blocks.len()).unwrap());
        self.def.blocks.push(steps);
        id
    }

    fn inner(&mut self, path: &str, depth: u32) -> BlockId {
        self.block(path, depth + 1, 2)
    }

    fn step(&mut self, path: &str, depth: u32) -> StepId {
        let id = StepId(u32::try_from(self.def.steps.len()).unwrap());
        let placeholder = Step {
            id,
            path: path.to_owned(),
            label: String::new(),
            line: 1,
            name: None,
            kind: StepKind::Decide { rows: Vec::new() },
        };
        self.def.steps.push(placeholder);
        let kinds = if depth > 2 { 7 } else { 14 };
        let mut name = None;
        let kind = match self.draw.below(kinds) {
            0 | 1 => {
                let called = format!("step_{}", id.0);
                self.names.push(called.clone());
                name = Some(called);
                StepKind::Do(self.action())
            }
            2 => {
                name = Some(format!("choice_{}", id.0));
                let condition = self.condition();
                let row = |condition, value| Row { condition, value: text(value), line: 1 };
                StepKind::Decide { rows: vec![row(Some(condition), "yes"), row(None, "no")] }
            }
            3 => StepKind::Wait {
                duration: self.duration(),
                resume_in: self.draw.one_in(3).then(|| "support-hours".to_owned()),
            },
            4 => {
                if self.draw.one_in(6) {
                    StepKind::Stop { condition: self.condition(), unless: self.draw.one_in(2) }
                } else {
                    name = Some(format!("arm_{}", id.0));
                    let arms = [("left", 3), ("right", 7)]
                        .map(|(arm, tenths)| (arm.to_owned(), Decimal::new(tenths, 1)));
                    StepKind::Split { arms: arms.to_vec() }
                }
            }
            5 => StepKind::Set {
                values: vec![("total".to_owned(), Expression::Formula(formula("total + 1")))],
            },
            6 => {
                name = Some(format!("verdict_{}", id.0));
                StepKind::Run(self.run())
            }
            7 => StepKind::If {
                condition: self.condition(),
                then: self.inner(&format!("{path}.then"), depth),
                otherwise: self.draw.one_in(2).then(|| self.inner(&format!("{path}.else"), depth)),
            },
            8 | 9 => self.wait_for(path, depth),
            10 => self.deadline(path, depth),
            11 | 12 => self.for_each(path, depth),
            _ => {
                let branches = (0..self.draw.below(3) + 1)
                    .map(|number| self.inner(&format!("{path}.parallel[{number}]"), depth))
                    .collect();
                StepKind::Parallel { branches }
            }
        };
        let step = &mut self.def.steps[id.0 as usize];
        (step.kind, step.name) = (kind, name);
        id
    }

    fn action(&mut self) -> Do {
        let exclusive = self.draw.one_in(3).then(|| "lane/{to}".to_owned());
        Do {
            action: "mail.send".to_owned(),
            input: vec![
                Argument {
                    name: "to".to_owned(),
                    value: Expression::Formula(formula("ticket.customer")),
                    conversion: Conversion::Plain,
                },
                Argument {
                    name: "due".to_owned(),
                    value: self.duration(),
                    conversion: Conversion::Due,
                },
            ],
            retry: Retry {
                times: u32::try_from(self.draw.below(4)).unwrap(),
                first_ms: self.draw.below(20_000),
                longest_ms: 60_000,
            },
            if_it_fails: self.draw.one_in(3).then(|| text("failed")),
            may: None,
            if_unknown: relata_workflow::IfUnknown::Hold,
            exclusive,
            correlation: vec![("mail.clicked".to_owned(), "message".to_owned())],
            output: Type::Any,
        }
    }

    fn condition(&mut self) -> Formula {
        let status = self.draw.pick(&STATUSES);
        let priority = self.draw.pick(&PRIORITIES);
        formula(&match self.draw.below(4) {
            0 => format!("ticket.status == \"{status}\""),
            1 => format!("ticket.priority == \"{priority}\""),
            2 => format!("ticket.status != \"{status}\" and ticket.priority == \"{priority}\""),
            _ => "ticket.first_reply_at is not empty".to_owned(),
        })
    }

    fn duration(&mut self) -> Expression {
        const DURATIONS: [&str; 7] = [
            "0 seconds",
            "20 minutes",
            "3 hours",
            "24 hours",
            "1 day",
            "4 working hours",
            "2 working days",
        ];
        let written = *self.draw.pick(&DURATIONS);
        duration(written)
    }

    fn wait_for(&mut self, path: &str, depth: u32) -> StepKind {
        let occurrence = match self.draw.below(3) {
            0 => Occurrence::Event { name: "mail.clicked".to_owned() },
            1 => Occurrence::Event { name: "survey.answered".to_owned() },
            _ => Occurrence::Changed {
                object: "ticket".to_owned(),
                field: Some("status".to_owned()),
                from: Vec::new(),
                to: if self.draw.one_in(3) {
                    Vec::new()
                } else {
                    vec![Value::Text((*self.draw.pick(&STATUSES)).to_owned())]
                },
            },
        };
        let since = (!self.names.is_empty() && !self.draw.one_in(4))
            .then(|| self.draw.pick(&self.names).clone());
        let about = match self.tickets.last() {
            Some(item) if self.draw.one_in(2) => Some(formula(item)),
            _ => None,
        };
        StepKind::WaitFor(WaitFor {
            occurrence,
            about,
            since,
            up_to: (!self.draw.one_in(5)).then(|| self.duration()),
            then: self.draw.one_in(2).then(|| self.inner(&format!("{path}.then"), depth)),
            otherwise: self.draw.one_in(2).then(|| self.inner(&format!("{path}.otherwise"), depth)),
        })
    }

    fn deadline(&mut self, path: &str, depth: u32) -> StepKind {
        let count = self.draw.below(4);
        let levels = (1..=count)
            .map(|place| Level {
                share: Decimal::new(i64::try_from(place).unwrap() * 4, 1),
                block: self.inner(&format!("{path}.levels[{place}]"), depth),
            })
            .collect();
        let met =
            self.draw.pick(&["ticket.first_reply_at is not empty", "ticket.status == \"solved\""]);
        StepKind::Deadline(Deadline {
            within: self.duration(),
            calendar: None,
            met_when: formula(met),
            pause_while: self
                .draw
                .one_in(2)
                .then(|| formula("ticket.status == \"waiting_for_customer\"")),
            levels,
        })
    }

    fn for_each(&mut self, path: &str, depth: u32) -> StepKind {
        const LISTS: [&str; 6] = [
            "[]",
            "[\"a\"]",
            "[\"a\", \"b\", \"c\"]",
            "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"b\", \"b\"]",
            "[ticket, ticket]",
            "[ticket, ticket.customer, ticket]",
        ];
        let place = usize::try_from(self.draw.below(LISTS.len() as u64)).unwrap();
        let item = format!("item_{}", self.loops);
        let only_if = match self.draw.below(3) {
            0 => Some(formula(&format!("{item} != \"b\" and {item} != \"h\""))),
            1 => Some(self.condition()),
            _ => None,
        };
        if place > 3 {
            self.tickets.push(item.clone());
        }
        self.loops += 1;
        let block = self.inner(&format!("{path}.steps"), depth);
        self.loops -= 1;
        if place > 3 {
            self.tickets.pop();
        }
        StepKind::ForEach(ForEach {
            list: formula(LISTS[place]),
            item,
            only_if,
            at_once: u32::try_from(self.draw.below(4)).unwrap() + 1,
            pace: self.draw.one_in(3).then_some(Pace { count: 7, in_ms: 3_600_000 }),
            block,
        })
    }

    fn run(&mut self) -> SubRun {
        let accepted = ("accepted".to_owned(), Slot::of(Type::YesNo));
        SubRun {
            workflow: "other".to_owned(),
            input: vec![Argument {
                name: "ticket".to_owned(),
                value: Expression::Formula(formula("ticket")),
                conversion: Conversion::Plain,
            }],
            output: Type::Map(BTreeMap::from([accepted])),
            up_to: (!self.draw.one_in(3)).then(|| self.duration()),
            if_it_fails: self.draw.one_in(2).then(|| text("failed")),
        }
    }
}
