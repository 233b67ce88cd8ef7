//! Checking the calls of functions.

use super::{
    check::Checker,
    functions::{self, FUNCTIONS, Function, Takes, Yield},
    tree::NodeId,
};
use crate::{
    diagnostic as codes,
    types::{Slot, Type},
};

impl Checker<'_> {
    pub(super) fn call(&mut self, id: NodeId, name: &str, arguments: &[NodeId]) -> Slot {
        let Some(function) = functions::function(name) else {
            for argument in arguments {
                self.slot(*argument);
            }
            let help = other_language(name).or_else(|| {
                codes::mean_or_list(name, FUNCTIONS.iter().map(|function| function.name))
            });
            let message = format!("there is no function `{name}`");
            self.fault_at_name(id, name, codes::UNKNOWN_FUNCTION, message, help);
            return Slot::of(Type::Any);
        };
        let most = function.parameters.len();
        let least = most - function.may_leave_out;
        if arguments.len() < least || (arguments.len() > most && !function.repeats) {
            self.fault(
                id,
                codes::WRONG_COUNT,
                format!(
                    "`{name}` takes {}, but is given {}",
                    counted(least, most, function.repeats),
                    arguments.len()
                ),
                Some(format!("write `{}`", function.form())),
            );
        }
        if function.needs_calendar {
            self.needs_calendar(id);
        }
        let mut slots = Vec::new();
        for (place, argument) in arguments.iter().enumerate() {
            let parameter = function.parameters.get(place).or(function.parameters.last());
            let takes = parameter.map_or(Takes::Anything, |parameter| parameter.takes);
            if takes == Takes::Anything {
                slots.push(self.defaulted(*argument));
                continue;
            }
            let kind = match takes {
                Takes::List | Takes::Plains | Takes::Numbers | Takes::TextOrList => {
                    self.list_or_needed(*argument)
                }
                _ => self.needed(*argument),
            };
            if !takes.accepts(&kind) {
                self.fault(
                    *argument,
                    codes::WRONG_TYPE,
                    format!("`{name}` takes {} here, not {}", takes.describe(), kind.describe()),
                    takes.help(&kind),
                );
            }
            slots.push(Slot::of(kind));
        }
        self.result(id, function, &slots)
    }

    /// The argument of `default`, which may be unset as well as empty.
    fn defaulted(&mut self, id: NodeId) -> Slot {
        let root = self.path(id).and_then(|path| path.split('.').next().map(str::to_owned));
        let unset = root.filter(|root| self.names.get(root).is_some_and(|known| known.unset));
        let Some(root) = unset else { return self.slot(id) };
        let was_filled = self.filled.contains(&root);
        let depth = self.filled.depth();
        self.filled.push(root);
        let mut slot = self.slot(id);
        self.filled.back_to(depth);
        slot.optional |= !was_filled;
        slot
    }

    fn result(&mut self, id: NodeId, function: &Function, slots: &[Slot]) -> Slot {
        match function.result {
            Yield::Text => Slot::of(Type::Text),
            Yield::Number => Slot::of(Type::Number),
            Yield::YesNo => Slot::of(Type::YesNo),
            Yield::Date => Slot::of(Type::Date),
            Yield::Time => Slot::of(Type::Time),
            Yield::Money => Slot::of(Type::Money),
            Yield::MaybeNumber => Slot::maybe(Type::Number),
            Yield::MaybeTime => Slot::maybe(Type::Time),
            Yield::Texts => Slot::of(Type::List(Box::new(Slot::of(Type::Text)))),
            Yield::Item => match slots.first().map(|slot| &slot.kind) {
                Some(Type::List(items)) => Slot::maybe(items.kind.clone()),
                _ => Slot::of(Type::Any),
            },
            Yield::First | Yield::FirstThatIs => self.joined(id, function, slots),
        }
    }

    /// What values of one kind come to together.
    fn joined(&mut self, id: NodeId, function: &Function, slots: &[Slot]) -> Slot {
        let Some((first, others)) = slots.split_first() else { return Slot::of(Type::Any) };
        let joined = others.iter().try_fold(first.clone(), |all, slot| all.join(slot));
        let Some(mut joined) = joined else {
            let kinds: Vec<String> = slots.iter().map(|slot| slot.kind.describe()).collect();
            self.fault(
                id,
                codes::WRONG_TYPE,
                format!(
                    "the values of `{}` are of different kinds: {}",
                    function.name,
                    kinds.join(" and ")
                ),
                None,
            );
            return Slot::of(Type::Any);
        };
        if function.result == Yield::FirstThatIs {
            joined.optional = slots.iter().all(|slot| slot.optional);
        }
        joined
    }
}

/// What people call who know spreadsheets or SQL, and what it is here.
fn other_language(name: &str) -> Option<String> {
    let help = match name.to_lowercase().as_str() {
        "if" | "iif" | "ifs" | "case" | "switch" | "choose" => {
            "decide before: a `decide:` step yields one of several values"
        }
        "concat" | "concatenate" | "textjoin" => {
            "to join texts, write \"{{ a }} {{ b }}\" without `=`"
        }
        "coalesce" | "ifnull" | "nvl" | "isnull" | "ifempty" => "write `default(…)`",
        "isblank" | "isempty" | "is_empty" | "exists" => "write `… is empty`",
        "contains" | "includes" | "find" | "search" => "write `… contains …`, without brackets",
        "len" | "size" => "write `length(…)`",
        "datediff" | "datedif" | "days" => "write `days_between(…, …)`",
        "avg" | "mean" => "write `average(…)`",
        "and" | "or" | "not" => "write `… and …`, `… or …`, `not …`",
        "ceiling" => "write `ceil(…)`",
        "mid" | "substring" | "substr" => "write `left(…)`, `right(…)` or `split(…)`",
        _ => return None,
    };
    Some(help.to_owned())
}

fn counted(least: usize, most: usize, repeats: bool) -> String {
    let values =
        |count: usize| if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
    if repeats {
        format!("at least {}", values(least))
    } else if least == most {
        values(most)
    } else {
        format!("{least} to {}", values(most))
    }
}
