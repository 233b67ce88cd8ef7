//! What starts and what ends a run: triggers, `stop_when`, schedules.

use relata_model::{FieldDefinition, TimeZone, Value, text::with_article};

use super::{
    Keys, Reader,
    schema::{Parameter, Wanted},
};
use crate::{
    definition::{Button, Expression, IfMissed, Occurrence, Schedule, StopWhen, Trigger, Webhook},
    diagnostic::{self as codes, Place},
    formula::Names,
    schedule,
    source::{Entry, Node},
};

/// Something that happens, as it was written.
pub(super) struct Happening {
    pub(super) occurrence: Occurrence,
    /// The object to whose record it happens.
    pub(super) object: Option<String>,
    pub(super) written: String,
}

impl Reader<'_> {
    /// `when:`; also the object that the triggers are about.
    pub(super) fn triggers(&mut self, entry: &Entry) -> Vec<Trigger> {
        let mut triggers = Vec::new();
        // The outer option: a trigger was read; the inner: its object.
        let mut subject: Option<Option<String>> = None;
        let items = self.items(entry);
        for node in items {
            let Some(mut keys) = self.keys(node, "a trigger") else { continue };
            let place = keys.place();
            let Some((trigger, about)) = self.trigger(&mut keys, node) else {
                // The steps do not fall with the trigger where its object is clear.
                let meant = self.meant_object(node);
                subject = subject.or(meant.map(Some));
                continue;
            };
            match &subject {
                None => subject = Some(about),
                Some(before) if *before != about => {
                    let named = |about: &Option<String>| {
                        about.as_deref().map_or("nothing".to_owned(), with_article)
                    };
                    let message = format!(
                        "this trigger is about {}, and one before it about {}",
                        named(&about),
                        named(before)
                    );
                    let help = Some("make a workflow for each".to_owned());
                    self.error(codes::DIFFERENT_SUBJECTS, place, message, help);
                }
                Some(_) => {}
            }
            triggers.push(trigger);
        }
        self.subject = subject.flatten();
        triggers
    }

    /// The object that a trigger is about in which something is wrong.
    fn meant_object(&self, node: &Node) -> Option<String> {
        let objects = &self.catalog.objects;
        node.entries()?.iter().find_map(|entry| {
            let text = entry.value.text()?.trim();
            let object = match entry.key.as_str() {
                "created" | "changed" | "about" => text.split('.').next().unwrap_or(text),
                "enters" => "contact",
                "event" => &objects.event(text)?.0.name,
                _ => return None,
            };
            objects.get(object).map(|object| object.name.clone())
        })
    }

    fn trigger(&mut self, keys: &mut Keys<'_>, node: &Node) -> Option<(Trigger, Option<String>)> {
        let schedule = keys.take("schedule");
        let cron = keys.take("cron");
        if let Some(entry) = schedule.or(cron) {
            let schedule = self.schedule(entry, keys);
            self.unknown_keys(keys, "a schedule");
            return schedule.map(|schedule| (Trigger::Schedule(schedule), None));
        }
        if let Some(entry) = keys.take("webhook") {
            let webhook = self.webhook(entry, keys);
            self.unknown_keys(keys, "a webhook");
            return webhook.map(|webhook| (Trigger::Webhook(webhook), None));
        }
        if let Some(entry) = keys.take("button") {
            let button = self.button(entry, keys);
            self.unknown_keys(keys, "a button");
            return button.map(|button| {
                let object = button.object.clone();
                (Trigger::Button(button), object)
            });
        }
        let happening = self.happening(keys, node, "a trigger");
        self.unknown_keys(keys, "a trigger");
        happening.map(|happening| (Trigger::Occurrence(happening.occurrence), happening.object))
    }

    /// `webhook: shop-orders`, with a `secret:` or `unsigned: true`.
    fn webhook(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Webhook> {
        let secret_entry = keys.take("secret");
        let unsigned_entry = keys.take("unsigned");
        let name = self.plain_text(entry).map(str::to_owned);
        let name = name.filter(|name| self.is_file_name(name, "a webhook", entry.value.place));
        let secret = secret_entry.map(|entry| {
            let text = self.plain_text(entry)?.to_owned();
            let name = text.strip_prefix("secret/").unwrap_or(&text);
            self.secret(name, entry.value.place)?;
            Some(name.to_owned())
        });
        let unsigned = unsigned_entry.map(|entry| self.written(entry, &Wanted::YesNo));
        match (secret_entry, unsigned_entry, unsigned) {
            (Some(_), Some(entry), Some(Some(Value::YesNo(true)))) => {
                self.error(
                    codes::WRONG_FORM,
                    entry.key_place,
                    "a webhook has a secret, or it is unsigned",
                    Some("leave one of the two out".to_owned()),
                );
                return None;
            }
            (None, _, None | Some(Some(Value::YesNo(false)))) => {
                if !keys.has_slip_of("secret") && !keys.has_slip_of("unsigned") {
                    let help = "add `secret: NAME`, or `unsigned: true` where anybody may call";
                    self.error(
                        codes::MISSING_KEY,
                        entry.key_place,
                        "a webhook has to say with which secret its calls are signed",
                        Some(help.to_owned()),
                    );
                }
                return None;
            }
            (None, _, Some(None)) => return None,
            _ => {}
        }
        let secret = match secret {
            Some(secret) => Some(secret?),
            None => None,
        };
        Some(Webhook { name: name?, secret })
    }

    /// `button: Offer a discount`, on the pages of an object's records.
    fn button(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Button> {
        let about = keys.take("about");
        let label = self.plain_text(entry).map(str::to_owned);
        let object = match about {
            Some(about) => {
                let object = self.plain_text(about)?.to_owned();
                self.object(&object, about.value.place)?;
                Some(object)
            }
            None => None,
        };
        Some(Button { label: label?, object })
    }

    /// `about: ticket`, of a workflow that others run: the object.
    pub(super) fn about(&mut self, entry: &Entry, triggers: Option<&[Trigger]>) {
        let Some(object) = self.plain_text(entry).map(str::to_owned) else { return };
        if self.object(&object, entry.value.place).is_none() {
            return;
        }
        let named =
            |about: &Option<String>| about.as_deref().map_or("nothing".to_owned(), with_article);
        let differs = triggers.is_some_and(|triggers| !triggers.is_empty())
            && self.subject.as_ref() != Some(&object);
        if differs {
            let message = format!(
                "the workflow is about {}, and what starts it about {}",
                with_article(&object),
                named(&self.subject)
            );
            let help = Some("leave `about:` out, or make a workflow for each".to_owned());
            self.error(codes::DIFFERENT_SUBJECTS, entry.value.place, message, help);
            return;
        }
        self.subject = Some(object);
    }

    /// `created`, `changed`, `enters` or `event`.
    fn happening(&mut self, keys: &mut Keys<'_>, node: &Node, what: &str) -> Option<Happening> {
        if let Some(entry) = keys.take("created") {
            let object = self.plain_text(entry)?.to_owned();
            self.object(&object, entry.value.place)?;
            let written = format!("created {object}");
            return Some(Happening {
                occurrence: Occurrence::Created { object: object.clone() },
                object: Some(object),
                written,
            });
        }
        if let Some(entry) = keys.take("changed") {
            let text = self.plain_text(entry)?.to_owned();
            let (object, field) = text
                .split_once('.')
                .map_or((text.as_str(), None), |(object, field)| (object, Some(field)));
            if self.object(object, entry.value.place).is_none() {
                keys.take("from");
                keys.take("to");
                return None;
            }
            return self.change(object, field, &text, entry.value.place, keys);
        }
        if let Some(entry) = keys.take("enters") {
            let text = self.plain_text(entry)?;
            let segment =
                self.record_key("segment", text, entry.value.place, codes::UNKNOWN_SEGMENT)?;
            let written = format!("enters segment/{segment}");
            // Members of segments are contacts.
            return Some(Happening {
                occurrence: Occurrence::Enters { segment },
                object: Some("contact".to_owned()),
                written,
            });
        }
        if let Some(entry) = keys.take("event") {
            return self.event(entry);
        }
        let later = keys.rest().any(|entry| super::NOT_YET.contains(&entry.key.as_str()));
        if !later {
            let near: &[&str] = match what {
                "a trigger" => &[
                    "created", "changed", "enters", "event", "schedule", "cron", "webhook",
                    "button",
                ],
                _ => &["created", "changed", "enters", "event"],
            };
            let slip = keys
                .rest()
                .any(|entry| codes::did_you_mean(&entry.key, near.iter().copied()).is_some());
            if !slip {
                let help = Some(format!("write one of {}", near.join(", ")));
                self.error(
                    codes::MISSING_KEY,
                    node.place,
                    format!("{what} does not say what has to happen"),
                    help,
                );
            }
        }
        None
    }

    fn object(&mut self, name: &str, place: Place) -> Option<()> {
        if self.catalog.objects.get(name).is_some() {
            return Some(());
        }
        let help = codes::did_you_mean(name, self.catalog.objects.names());
        self.error(codes::UNKNOWN_OBJECT, place, format!("there is no object `{name}`"), help);
        self.unknown_objects.insert(name.to_owned());
        None
    }

    /// A change of an object's field, with `from:` and `to:`.
    pub(super) fn change(
        &mut self,
        object: &str,
        field: Option<&str>,
        written: &str,
        place: Place,
        keys: &mut Keys<'_>,
    ) -> Option<Happening> {
        let catalog = self.catalog;
        let (from_entry, to_entry) = (keys.take("from"), keys.take("to"));
        let mut definition: Option<&FieldDefinition> = None;
        if let Some(field) = field {
            let fields = catalog.objects.get(object).map(|object| &object.fields)?;
            definition = fields.get(field);
            if definition.is_none() {
                let message = if field.contains('.') {
                    format!(
                        "a trigger watches a field of {}, not what a relation leads to",
                        with_article(object)
                    )
                } else {
                    format!("{} has no field `{field}`", with_article(object))
                };
                let help = codes::did_you_mean(field, fields.keys().map(String::as_str));
                self.error(codes::UNKNOWN_FIELD, place, message, help);
                return None;
            }
        }
        let from = self.values_of(from_entry, definition)?;
        let to = self.values_of(to_entry, definition)?;
        Some(Happening {
            occurrence: Occurrence::Changed {
                object: object.to_owned(),
                field: field.map(str::to_owned),
                from,
                to,
            },
            object: Some(object.to_owned()),
            written: format!("changed {written}"),
        })
    }

    /// The values of `from:` or `to:`.
    fn values_of(
        &mut self,
        entry: Option<&Entry>,
        field: Option<&FieldDefinition>,
    ) -> Option<Vec<Value>> {
        let Some(entry) = entry else { return Some(Vec::new()) };
        let Some(field) = field else {
            let message = format!("`{}` needs a field: `changed: ticket.status`", entry.key);
            self.error(codes::WRONG_FORM, entry.key_place, message, None);
            return None;
        };
        let parameter = Parameter {
            wanted: Wanted::Field(Box::new(field.clone())),
            required: false,
            nullable: true,
        };
        let mut values = Vec::new();
        let mut failed = false;
        let items = self.items(entry);
        for node in items {
            let got = self.value(node, &parameter, &format!("`{}`", entry.key), &Names::default());
            match got.map(|got| got.expression) {
                Some(Expression::Literal(value)) => values.push(value),
                Some(_) => {
                    let message = format!("`{}` takes values that are written out", entry.key);
                    self.error(codes::WRONG_FORM, node.place, message, None);
                    failed = true;
                }
                None => failed = true,
            }
        }
        (!failed).then_some(values)
    }

    /// `event: order.paid`
    pub(super) fn event(&mut self, entry: &Entry) -> Option<Happening> {
        let name = self.plain_text(entry)?.to_owned();
        let Some((object, _)) = self.catalog.objects.event(&name) else {
            let known: Vec<&str> = self.catalog.objects.event_names().collect();
            let help = codes::mean_or_list(&name, known.into_iter());
            self.error(
                codes::UNKNOWN_EVENT,
                entry.value.place,
                format!("no object declares an event `{name}`"),
                help,
            );
            return None;
        };
        let object = Some(object.name.clone());
        Some(Happening {
            occurrence: Occurrence::Event { name: name.clone() },
            object,
            written: name,
        })
    }

    /// Whether what happens leads to the run's subject; says so where not.
    pub(super) fn related(&mut self, happening: &Happening, place: Place) {
        let Some(subject) = self.subject.clone() else { return };
        let leads = match &happening.occurrence {
            Occurrence::Event { name } => {
                self.catalog.objects.event(name).is_none_or(|(object, event)| {
                    object.name == subject
                        || event.about.iter().filter_map(|field| object.field(field)).any(|field| {
                            match &field.kind {
                                relata_model::FieldType::Reference(objects) => {
                                    objects.is_empty() || objects.contains(&subject)
                                }
                                _ => false,
                            }
                        })
                })
            }
            _ => happening.object.as_ref() == Some(&subject),
        };
        if !leads {
            let about = happening.object.as_deref().map_or_else(String::new, |object| {
                format!(" happens to {} and", with_article(object))
            });
            let message = format!(
                "`{}`{about} does not lead to the {subject} that the workflow is about",
                happening.written
            );
            self.error(codes::UNRELATED, place, message, None);
        }
    }

    /// `stop_when:`
    pub(super) fn stop_when(&mut self, entry: &Entry) -> Vec<StopWhen> {
        let mut all = Vec::new();
        let items = self.items(entry);
        for node in items {
            let Some(mut keys) = self.keys(node, "`stop_when`") else { continue };
            let outcome =
                keys.take("outcome").and_then(|entry| self.plain_text(entry).map(str::to_owned));
            let happening = self.happening(&mut keys, node, "`stop_when`");
            self.unknown_keys(&keys, "`stop_when`");
            let Some(happening) = happening else { continue };
            let place = node
                .entries()
                .and_then(|entries| entries.iter().find(|entry| entry.key != "outcome"))
                .map_or(node.place, |entry| entry.value.place);
            self.related(&happening, place);
            all.push(StopWhen { occurrence: happening.occurrence, outcome });
        }
        all
    }

    /// `schedule: weekdays at 09:00`, `cron: "0 9 * * 1-5"`
    fn schedule(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Schedule> {
        let is_cron = entry.key == "cron";
        let written = self.plain_text(entry).map(str::to_owned);
        let cron = written.as_ref().and_then(|written| {
            let read = if is_cron {
                schedule::read_cron(written)
                    .map(|cron| schedule::Phrase { cron, on_working_days: false })
                    .map_err(schedule::Unreadable::from)
            } else {
                schedule::read_phrase(written)
            };
            read.map_err(|why| {
                let place = entry.value.place;
                self.error(codes::IMPOSSIBLE_SCHEDULE, place, why.message, why.help);
            })
            .ok()
        });
        let on_working_days = cron.as_ref().is_some_and(|cron| cron.on_working_days);
        if on_working_days && !self.has_calendar {
            let message = "working days are those of a calendar, and none is named";
            let help = Some("name one with `calendar:`, or write `weekdays`".to_owned());
            self.error(codes::NO_CALENDAR, entry.value.place, message, help);
        }
        let if_missed = match keys.take("if_missed") {
            None => Some(IfMissed::Once),
            Some(entry) => {
                self.plain_text(entry).map(str::to_owned).and_then(|text| match text.as_str() {
                    "once" => Some(IfMissed::Once),
                    "all" => Some(IfMissed::All),
                    "skip" => Some(IfMissed::Skip),
                    _ => {
                        let help = Some("write once, all or skip".to_owned());
                        self.error(
                            codes::NOT_A_CHOICE,
                            entry.value.place,
                            format!("`if_missed` is never `{text}`"),
                            help,
                        );
                        None
                    }
                })
            }
        };
        let Some(zone_entry) = keys.take("time_zone") else {
            let help = Some("add `time_zone: Europe/Berlin`".to_owned());
            self.error(
                codes::MISSING_KEY,
                entry.key_place,
                "a schedule needs to say in which time zone",
                help,
            );
            return None;
        };
        let time_zone = self.plain_text(zone_entry)?.to_owned();
        if TimeZone::get(&time_zone).is_err() {
            let help = schedule::meant_zone(&time_zone).map_or_else(
                || "use an IANA name such as Europe/Berlin".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            self.error(
                codes::UNKNOWN_ZONE,
                zone_entry.value.place,
                format!("there is no time zone `{time_zone}`"),
                Some(help),
            );
            return None;
        }
        let calendar = if on_working_days { Some(self.calendar.clone()?) } else { None };
        let schedule = Schedule {
            cron: cron?.cron,
            written: written?,
            time_zone,
            if_missed: if_missed?,
            calendar,
        };
        if !schedule::is_every_hour(&schedule)
            && let Some(left_out) = schedule::left_out(&schedule)
        {
            let message = format!(
                "in {} there is no {} on days like {}, when the clock goes forward",
                schedule.time_zone,
                left_out.local.time().strftime("%H:%M"),
                left_out.local.date()
            );
            let fires = left_out.fires.iter().map(|fire| fire.strftime("%F %H:%M").to_string());
            let help = format!(
                "on such a day it fires at {}; around that day: {}",
                left_out.instead.time().strftime("%H:%M"),
                fires.collect::<Vec<_>>().join(", ")
            );
            self.findings.warning(codes::CLOCK_CHANGE, entry.value.place, message, Some(help));
        }
        Some(schedule)
    }
}
