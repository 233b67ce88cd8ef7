//! A backtest as one page for a browser: nothing is loaded, no script runs.

use minijinja::{Environment, UndefinedBehavior, context, value::Serde};
use relata_model::{TimeZone, Timestamp};
use serde::Serialize;

use crate::{
    AppError,
    backtest::{
        chart::{Chart, Series},
        report::{Backtest, Count, Figures, StepCount},
    },
};

const PAGE: &str = include_str!("page.html");

/// More days than these are drawn as weeks.
const MOST_DAYS: usize = 92;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A number of the draft beside that of the other version.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    draft: u64,
    other: u64,
    /// `+3`, `-12`, or nothing.
    difference: String,
    /// The bars' lengths, in percent of the longest.
    draft_share: f64,
    other_share: f64,
    /// Whether it belongs to the row above.
    part: bool,
    examples: Vec<String>,
    /// Further numbers.
    more: Vec<u64>,
}

impl Backtest {
    /// The report as one self-contained HTML page.
    ///
    /// # Errors
    ///
    /// [`AppError::Fault`] where the page's template does not render.
    pub fn to_html(&self) -> Result<String, AppError> {
        let fault = |why: minijinja::Error| {
            AppError::Fault(format!("the page of a backtest does not render: {why:#}"))
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template("page.html", PAGE).map_err(fault)?;
        let page = environment.get_template("page.html").map_err(fault)?;
        let other = self.against.as_ref().map(|against| &against.figures);
        let (draft, none) = (&self.draft, Figures::default());
        let before = other.unwrap_or(&none);
        let sent = |figures: &Figures| figures.messages.iter().map(|count| count.sent).sum::<u64>();
        let refused =
            |figures: &Figures| figures.not_started.iter().map(|reason| reason.count).sum::<u64>();
        let tiles = [
            row("runs started", draft.started, before.started),
            row("not started", refused(draft), refused(before)),
            row("messages sent", sent(draft), sent(before)),
            row(
                "runs that rest on an assumption",
                draft.rests_on.assumed_runs,
                before.rests_on.assumed_runs,
            ),
        ];
        page.render(context! {
            found => Serde(self),
            from => local(&self.from, &self.time_zone),
            to => local(&self.to, &self.time_zone),
            other => Serde(self.against.as_ref().map(|against| against.what.clone())),
            same => self.against.as_ref().is_some_and(|against| against.is_same(draft)),
            tiles => Serde(tiles),
            by_day => Serde(self.by_day()),
            by_hour => Serde(self.by(hours(), |figures| figures.sends.by_hour.to_vec())),
            by_weekday => Serde(self.by(
                WEEKDAYS.map(str::to_owned).to_vec(),
                |figures| figures.sends.by_weekday.to_vec(),
            )),
            starts => Serde(self.starts()),
            outcomes => Serde(rows(&draft.outcomes, &before.outcomes)),
            actions => Serde(self.actions(before)),
            messages => Serde(self.messages(before)),
            steps => Serde(self.steps(before)),
        })
        .map_err(fault)
    }

    fn by(&self, names: Vec<String>, values: impl Fn(&Figures) -> Vec<u64>) -> Option<Chart> {
        let mut series =
            vec![Series { of: "draft", title: "draft".to_owned(), values: values(&self.draft) }];
        if let Some(against) = &self.against {
            let (title, values) = (against.what.clone(), values(&against.figures));
            series.push(Series { of: "other", title, values });
        }
        Chart::new(&names, &series)
    }

    fn by_day(&self) -> Option<Chart> {
        // Quiet hours may put a message of one of them behind the last day.
        let mut days: Vec<String> = Vec::new();
        let figures = std::iter::once(&self.draft).chain(self.against.iter().map(|a| &a.figures));
        for day in figures.flat_map(|figures| &figures.sends.by_day) {
            days.push(day.what.clone());
        }
        days.sort();
        days.dedup();
        let size = if days.len() > MOST_DAYS { 7 } else { 1 };
        let values = |figures: &Figures| {
            days.chunks(size)
                .map(|days| {
                    let of = |day: &String| {
                        let found = figures.sends.by_day.iter().find(|count| count.what == *day);
                        found.map_or(0, |count| count.count)
                    };
                    days.iter().map(of).sum()
                })
                .collect()
        };
        let names = days.chunks(size).map(|days| short_day(&days[0])).collect();
        self.by(names, values)
    }

    fn starts(&self) -> Vec<Row> {
        let reasons = |figures: &Figures| -> Vec<Count> {
            let mut all = vec![Count { what: "started".to_owned(), count: figures.started }];
            all.extend(
                figures
                    .not_started
                    .iter()
                    .map(|reason| Count { what: reason.reason.clone(), count: reason.count }),
            );
            all
        };
        let before = self.against.as_ref().map(|against| reasons(&against.figures));
        let mut rows = rows(&reasons(&self.draft), &before.unwrap_or_default());
        for row in rows.iter_mut().skip(1) {
            let reason = self.draft.not_started.iter().find(|reason| reason.reason == row.what);
            row.examples = reason.map(|reason| reason.examples.clone()).unwrap_or_default();
        }
        rows
    }

    fn actions(&self, before: &Figures) -> Vec<Row> {
        let done = |figures: &Figures| -> Vec<Count> {
            let actions = figures.actions.iter();
            actions
                .map(|action| Count { what: action.action.clone(), count: action.done })
                .collect()
        };
        let mut rows = rows(&done(&self.draft), &done(before));
        for row in &mut rows {
            let action = self.draft.actions.iter().find(|action| action.action == row.what);
            row.more = action
                .map_or(vec![0; 3], |action| vec![action.skipped, action.failed, action.assumed]);
        }
        rows
    }

    fn messages(&self, before: &Figures) -> Vec<Row> {
        let sent = |figures: &Figures| -> Vec<Count> {
            let messages = figures.messages.iter();
            messages
                .map(|message| Count { what: message.template.clone(), count: message.sent })
                .collect()
        };
        let mut rows = rows(&sent(&self.draft), &sent(before));
        for row in &mut rows {
            let message = self.draft.messages.iter().find(|message| message.template == row.what);
            row.more = message.map_or(vec![0; 2], |message| vec![message.held, message.suppressed]);
        }
        rows
    }

    fn steps(&self, before: &Figures) -> Vec<Row> {
        let mut all = Vec::new();
        for step in &self.draft.steps {
            let other = before.steps.iter().find(|other| other.path == step.path);
            let mut head = row(&title(step), step.reached, other.map_or(0, |other| other.reached));
            head.part = false;
            all.push(head);
            let ways = other.map_or(&[][..], |other| other.ways.as_slice());
            for way in &step.ways {
                let other = ways.iter().find(|other| other.what == way.what);
                let mut part = row(&way.what, way.count, other.map_or(0, |other| other.count));
                part.part = true;
                all.push(part);
            }
        }
        shares(&mut all);
        all
    }
}

fn title(step: &StepCount) -> String {
    format!("{} (line {})", step.label, step.line)
}

/// `16 Nov 2026, 05:45`.
fn local(at: &str, zone: &str) -> String {
    let zoned = at.parse::<Timestamp>().ok().zip(TimeZone::get(zone).ok());
    zoned.map_or_else(
        || at.to_owned(),
        |(at, zone)| at.to_zoned(zone).strftime("%-d %b %Y, %H:%M").to_string(),
    )
}

fn hours() -> Vec<String> {
    (0..24).map(|hour| format!("{hour:02}")).collect()
}

/// `14 Dec`.
fn short_day(day: &str) -> String {
    day.parse::<jiff::civil::Date>()
        .map_or_else(|_| day.to_owned(), |day| day.strftime("%-d %b").to_string())
}

fn rows(draft: &[Count], other: &[Count]) -> Vec<Row> {
    let of = |counts: &[Count], what: &str| {
        counts.iter().find(|count| count.what == what).map_or(0, |count| count.count)
    };
    let mut all: Vec<Row> =
        draft.iter().map(|count| row(&count.what, count.count, of(other, &count.what))).collect();
    let only = other.iter().filter(|count| draft.iter().all(|known| known.what != count.what));
    all.extend(only.map(|count| row(&count.what, 0, count.count)));
    shares(&mut all);
    all
}

fn row(what: &str, draft: u64, other: u64) -> Row {
    let difference = match draft.cmp(&other) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{}", draft - other),
        std::cmp::Ordering::Less => format!("\u{2212}{}", other - draft),
    };
    Row {
        what: what.to_owned(),
        draft,
        other,
        difference,
        draft_share: 0.0,
        other_share: 0.0,
        part: false,
        examples: Vec::new(),
        more: Vec::new(),
    }
}

fn shares(rows: &mut [Row]) {
    let most = rows.iter().map(|row| row.draft.max(row.other)).max().unwrap_or(0).max(1);
    let share = |count: u64| (count as f64 / most as f64 * 1_000.0).round() / 10.0;
    for row in rows {
        (row.draft_share, row.other_share) = (share(row.draft), share(row.other));
    }
}
