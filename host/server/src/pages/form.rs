//! `/f/SLUG`: a form by which anybody can write to us, as a page of its own or
//! within another site's. What it says is in the record of the form.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relata_app::{
    App, AskedField, FormError, FormFault, FormMessage, PageAge, WebForm, model::FieldType,
};
use serde::Serialize;

use crate::{
    Api,
    pages::{
        self, Frame, NOBODY, Sent, Visit,
        texts::{Texts, filled},
    },
};

/// Whoever is quicker has typed nothing, and whoever takes longer has a page
/// that somebody kept.
const AGES_MS: std::ops::RangeInclusive<i64> = 2_000..=24 * 3_600_000;

/// What the page shows.
#[derive(Serialize)]
struct FormPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    intro: &'a str,
    note: Option<&'a str>,
    fields: Vec<Field<'a>>,
    nonce: &'a str,
    seal: &'a str,
    /// The page in other languages: its address, and what the language is
    /// called in itself.
    others: Vec<(String, &'static str, &'static str)>,
}

/// A field of the page.
#[derive(Serialize)]
struct Field<'a> {
    name: &'a str,
    label: &'a str,
    /// What a browser lets people do: `textarea`, `select`, or the type of an
    /// `input`.
    kind: &'static str,
    required: bool,
    choices: &'a [String],
    /// What a browser may fill in by itself.
    autocomplete: &'static str,
    value: &'a str,
    error: Option<String>,
}

/// What says that a message has arrived.
#[derive(Serialize)]
struct SentPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    arrived: String,
    more: &'a str,
}

/// A page of a form, for one visitor.
struct Page<'a> {
    app: &'a App,
    form: &'a WebForm,
    texts: &'static Texts,
    embedded: bool,
}

/// Why a page is shown again.
#[derive(Default)]
struct Again<'a> {
    note: Option<&'a str>,
    faults: BTreeMap<String, FormFault>,
    /// Whether what is sent next is the same message.
    same: bool,
}

/// Shows the form.
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(slug): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let browser = pages::browser(&headers);
    let Ok(_room) = gate.enter_to_read() else { return pages::busy(&app, browser) };
    match app.web_form(&slug).await {
        Ok(Some(form)) => {
            let page = Page::new(&app, &form, &uri, &headers);
            page.shown(StatusCode::OK, &Sent::default(), Again::default()).await
        }
        Ok(None) => pages::unknown(&app, browser),
        Err(why) => pages::unwell(&app, browser, &why),
    }
}

/// Takes a message. What says that it has arrived can be loaded again without
/// sending anything.
pub(crate) async fn send(
    State(Api { app, gate, .. }): State<Api>,
    Path(slug): Path<String>,
    uri: Uri,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let browser = pages::browser(&headers);
    let visit = match Visit::read(&gate, request).await {
        Ok(visit) => visit,
        Err(why) => return pages::unread(&app, browser, &why),
    };
    let sent = &visit.sent;
    let form = match app.web_form(&slug).await {
        Ok(Some(form)) => form,
        Ok(None) => return pages::unknown(&app, browser),
        Err(why) => return pages::unwell_with(&app, browser, &why, sent),
    };
    let page = Page::new(&app, &form, &uri, &headers);
    let says = &page.texts.page;
    let room = gate.enter(&app);
    if !visit.may_send(&gate) || room.is_err() {
        let again = Again { note: Some(&says.busy), same: true, ..Again::default() };
        return page.shown(StatusCode::TOO_MANY_REQUESTS, sent, again).await;
    }
    let nonce = sent.field("nonce");
    match app.page_age(&page.name(nonce), sent.field("seal")).await {
        Err(why) => return pages::unwell_with(&app, page.texts, &why, sent),
        Ok(PageAge::Millis(age)) if AGES_MS.contains(&age) && !sent.is_of_a_program() => {}
        Ok(_) => {
            let again = Again { note: Some(&says.press_again), ..Again::default() };
            return page.shown(StatusCode::UNPROCESSABLE_ENTITY, sent, again).await;
        }
    }
    let message = FormMessage {
        name: sent.field("name"),
        email: sent.field("email"),
        subject: sent.field("subject"),
        message: sent.field("message"),
        asked: &sent.0,
        nonce,
        language: page.texts.language(),
    };
    let (status, again) = match app.send_form(&form, message).await {
        Ok(ticket) => return page.thanks(&ticket).await,
        Err(FormError::Invalid(faults)) => {
            let note = Some(page.texts.form.check.as_str());
            (StatusCode::UNPROCESSABLE_ENTITY, Again { note, faults, same: false })
        }
        Err(FormError::SentBefore) => {
            let note = Some(page.texts.form.sent_before.as_str());
            (StatusCode::CONFLICT, Again { note, ..Again::default() })
        }
        Err(FormError::TooMany) => {
            let note = Some(page.texts.form.too_many.as_str());
            (StatusCode::TOO_MANY_REQUESTS, Again { note, ..Again::default() })
        }
        // Perhaps it was written nevertheless: then the same message again is
        // known as the same.
        Err(FormError::App(why)) => {
            pages::log(&why);
            let again = Again { note: Some(&says.unwell), same: true, ..Again::default() };
            (StatusCode::SERVICE_UNAVAILABLE, again)
        }
    };
    page.shown(status, sent, again).await
}

/// Says that a message has arrived.
pub(crate) async fn sent(
    State(Api { app, gate, .. }): State<Api>,
    Path(slug): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let browser = pages::browser(&headers);
    let Ok(_room) = gate.enter_to_read() else { return pages::busy(&app, browser) };
    let asked = Sent::of(&uri);
    let ticket = asked.field("ref");
    let found = match app.web_form(&slug).await {
        Ok(Some(form)) => match app.page_age(&arrived(&slug, ticket), asked.field("seal")).await {
            // What stands on the page is what we wrote on it.
            Ok(PageAge::Millis(_)) => Ok(Some(form)),
            Ok(PageAge::Unknown) => Ok(None),
            Err(why) => Err(why),
        },
        other => other,
    };
    match found {
        Ok(Some(form)) => Page::new(&app, &form, &uri, &headers).arrived(ticket),
        Ok(None) => pages::unknown(&app, browser),
        Err(why) => pages::unwell(&app, browser, &why),
    }
}

/// What the seal of a ticket that has arrived is for.
fn arrived(slug: &str, ticket: &str) -> String {
    format!("f/{slug}/sent/{ticket}")
}

impl<'a> Page<'a> {
    fn new(app: &'a App, form: &'a WebForm, uri: &Uri, headers: &HeaderMap) -> Self {
        let asked = Sent::of(uri);
        let allowed = form.languages();
        let is_allowed =
            |texts: &&'static Texts| allowed.is_empty() || allowed.contains(&texts.language());
        let texts = Texts::of_locale(asked.field("lang"))
            .filter(is_allowed)
            .or_else(|| Texts::asked_for(headers).find(is_allowed))
            .or_else(|| allowed.iter().find_map(|language| Texts::of_locale(language)))
            .unwrap_or_else(Texts::first);
        Self { app, form, texts, embedded: asked.field("embed") == "1" }
    }

    /// What its seal is for.
    fn name(&self, nonce: &str) -> String {
        format!("f/{}/{nonce}", self.form.slug())
    }

    /// Who may show it within a page of theirs.
    fn embedders(&self) -> String {
        match self.form.origins() {
            origins if self.embedded && !origins.is_empty() => origins.join(" "),
            _ => NOBODY.to_owned(),
        }
    }

    fn frame(&self, title: &'a str) -> Frame<'a> {
        Frame { embedded: self.embedded, ..Frame::new(self.app, self.texts, title) }
    }

    /// The page, with what was typed, and what is wrong with it.
    async fn shown(&self, status: StatusCode, sent: &Sent, again: Again<'_>) -> Response {
        let drawn = if again.same {
            (sent.field("nonce").to_owned(), sent.field("seal").to_owned())
        } else {
            let nonce = self.app.draw_nonce();
            match self.app.seal_page(&self.name(&nonce)).await {
                Ok(seal) => (nonce, seal),
                Err(why) => return pages::unwell_with(self.app, self.texts, &why, sent),
            }
        };
        let language = self.texts.language();
        let page = FormPage {
            frame: self.frame(self.form.title(language)),
            intro: self.form.intro(language).unwrap_or_default(),
            note: again.note,
            fields: self.fields(sent, &again.faults),
            nonce: &drawn.0,
            seal: &drawn.1,
            others: self.others(),
        };
        pages::page(status, "form.html", &page, &self.embedders())
    }

    fn fields<'s>(
        &'s self,
        sent: &'s Sent,
        faults: &BTreeMap<String, FormFault>,
    ) -> Vec<Field<'s>> {
        let says = &self.texts.form;
        let own = [
            ("name", &says.name, "text", "name"),
            ("email", &says.email, "email", "email"),
            ("subject", &says.subject, "text", "off"),
        ];
        let mut fields: Vec<Field<'_>> = own
            .into_iter()
            .map(|(name, label, kind, autocomplete)| Field {
                name,
                label,
                kind,
                required: true,
                choices: &[],
                autocomplete,
                value: sent.field(name),
                error: None,
            })
            .collect();
        let asked = self.form.asks().iter().map(|asked| Field {
            name: &asked.name,
            label: asked.label(self.texts.language()),
            kind: kind(asked),
            required: asked.required,
            choices: match &asked.kind {
                FieldType::Choice(words) => words,
                _ => &[],
            },
            autocomplete: "off",
            value: sent.field(&asked.name),
            error: None,
        });
        fields.extend(asked);
        fields.push(Field {
            name: "message",
            label: &says.message,
            kind: "textarea",
            required: true,
            choices: &[],
            autocomplete: "off",
            value: sent.field("message"),
            error: None,
        });
        for field in &mut fields {
            field.error = faults.get(field.name).map(|fault| self.fault(*fault));
        }
        fields
    }

    fn fault(&self, fault: FormFault) -> String {
        let says = &self.texts.form;
        match fault {
            FormFault::Missing => says.missing.clone(),
            FormFault::NoAddress => says.no_address.clone(),
            FormFault::Wrong => says.wrong.clone(),
            FormFault::TooLong(longest) => {
                filled(&says.too_long, &[("count", &longest.to_string())])
            }
        }
    }

    fn others(&self) -> Vec<(String, &'static str, &'static str)> {
        let allowed = self.form.languages();
        let embed = if self.embedded { "&embed=1" } else { "" };
        Texts::all()
            .iter()
            .filter(|texts| texts.language() != self.texts.language())
            .filter(|texts| allowed.is_empty() || allowed.contains(&texts.language()))
            .map(|texts| {
                let address = format!("?lang={}{embed}", texts.language());
                (address, texts.lang.as_str(), texts.name.as_str())
            })
            .collect()
    }

    /// To the page that says that it has arrived, wherever a proxy has put it.
    async fn thanks(&self, ticket: &str) -> Response {
        let slug = self.form.slug();
        let seal = match self.app.seal_page(&arrived(slug, ticket)).await {
            Ok(seal) => seal,
            // It has arrived all the same.
            Err(why) => {
                pages::log(&why);
                return self.arrived(ticket);
            }
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("ref", ticket).append_pair("seal", &seal);
        query.append_pair("lang", self.texts.language());
        if self.embedded {
            query.append_pair("embed", "1");
        }
        let location = format!("{slug}/sent?{}", query.finish());
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
    }

    fn arrived(&self, ticket: &str) -> Response {
        let says = &self.texts.form;
        let page = SentPage {
            frame: self.frame(&says.thanks),
            arrived: filled(&says.arrived, &[("ref", ticket)]),
            more: self.form.thanks(self.texts.language()).unwrap_or(&says.answer),
        };
        pages::page(StatusCode::OK, "sent.html", &page, &self.embedders())
    }
}

/// What a browser lets people do in a field.
fn kind(asked: &AskedField) -> &'static str {
    match asked.kind {
        FieldType::LongText => "textarea",
        FieldType::Choice(_) => "select",
        FieldType::YesNo => "checkbox",
        FieldType::Date => "date",
        FieldType::Email => "email",
        FieldType::Phone => "tel",
        _ => "text",
    }
}
