//! Signed links: what a mail carries so that its reader needs no password, and
//! the seals of pages, by which it is known when a page was opened.
//!
//! A link holds an id and a signature over what it is for, and nothing of the
//! person. Its key is drawn once and lies in the database, so that all hosts
//! know one another's links and a backup keeps them good.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use relata_model::{RecordId, Timestamp};
use serde_json::Value as Json;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{App, AppError, Purpose, fresh};

/// The name of the setting that holds the key.
const KEY: &str = "link_key";

/// How much of a signature a link carries, bytes: nobody guesses 128 bits.
const TAG: usize = 16;

/// The bytes of an id.
const ID: usize = 16;

/// What a link is for: one of one kind is no good for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Answers a survey; the id is the response's.
    Survey,
    /// Ends marketing mails; the id is the recipient's.
    NoMarketing,
    /// Ends surveys; the id is the recipient's.
    NoSurveys,
}

impl LinkKind {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Survey => b"survey",
            Self::NoMarketing => b"no marketing",
            Self::NoSurveys => b"no surveys",
        }
    }

    /// The first part of its address.
    const fn path(self) -> &'static str {
        match self {
            Self::Survey => "s",
            Self::NoMarketing | Self::NoSurveys => "u",
        }
    }

    /// Ends the mails of a purpose; none where they need no consent.
    pub(crate) const fn ending(purpose: Purpose) -> Option<Self> {
        match purpose {
            Purpose::Service => None,
            Purpose::Marketing => Some(Self::NoMarketing),
            Purpose::Survey => Some(Self::NoSurveys),
        }
    }
}

/// What links and pages are signed with.
pub(crate) struct LinkKey(Zeroizing<Vec<u8>>);

impl LinkKey {
    /// The unguessable last part of a link's address.
    fn token(&self, kind: LinkKind, id: RecordId) -> String {
        let id = id.as_uuid();
        let tag = self.mac(&[kind.word(), id.as_bytes()]).finalize().into_bytes();
        let mut bytes = [0; ID + TAG];
        bytes[..ID].copy_from_slice(id.as_bytes());
        bytes[ID..].copy_from_slice(&tag[..TAG]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The id of a link, if it is one of ours and of this kind.
    fn read(&self, kind: LinkKind, token: &str) -> Option<RecordId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, tag) = bytes.split_first_chunk::<ID>()?;
        if tag.len() != TAG {
            return None;
        }
        // Takes as long for a wrong one, wherever it differs.
        self.mac(&[kind.word(), id]).verify_truncated_left(tag).ok()?;
        Some(RecordId::from_uuid(Uuid::from_bytes(*id)))
    }

    /// Says of a page that it was opened now.
    fn seal(&self, page: &str, now: Timestamp) -> String {
        let millis = now.as_millisecond();
        let tag = self.mac(&[b"page", page.as_bytes(), &millis.to_be_bytes()]).finalize();
        format!("{millis}.{}", URL_SAFE_NO_PAD.encode(&tag.into_bytes()[..TAG]))
    }

    /// When a page was opened, if the seal is ours and that page's.
    fn sealed_at(&self, page: &str, seal: &str) -> Option<Timestamp> {
        let (millis, tag) = seal.split_once('.')?;
        let millis: i64 = millis.parse().ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok().filter(|tag| tag.len() == TAG)?;
        self.mac(&[b"page", page.as_bytes(), &millis.to_be_bytes()])
            .verify_truncated_left(&tag)
            .ok()?;
        Timestamp::from_millisecond(millis).ok()
    }

    /// Over the parts, each with its length before it, so that no two lists of
    /// parts look the same.
    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// How long ago a page was opened that somebody sends back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAge {
    /// It has no seal of ours: it was never opened.
    Unknown,
    /// So many milliseconds; fewer than none where another host's clock is
    /// ahead.
    Millis(i64),
}

impl App {
    /// The address of a signed link; none where `public_url` is not set.
    pub(crate) async fn link(
        &self,
        kind: LinkKind,
        id: RecordId,
    ) -> Result<Option<String>, AppError> {
        let Some(base) = &self.config().public_url else { return Ok(None) };
        let token = self.link_key().await?.token(kind, id);
        Ok(Some(format!("{}/{}/{token}", base.trim_end_matches('/'), kind.path())))
    }

    /// The id that a signed link stands for; none where it is none of ours.
    pub(crate) async fn linked(
        &self,
        kind: LinkKind,
        token: &str,
    ) -> Result<Option<RecordId>, AppError> {
        Ok(self.link_key().await?.read(kind, token))
    }

    /// A seal for a page that is shown now, to be sent back with it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn seal_page(&self, page: &str) -> Result<String, AppError> {
        Ok(self.link_key().await?.seal(page, self.inner.clock.of_visitors()))
    }

    /// How long ago a page was opened, by the seal that came back with it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn page_age(&self, page: &str, seal: &str) -> Result<PageAge, AppError> {
        let opened = self.link_key().await?.sealed_at(page, seal);
        let now = self.inner.clock.of_visitors().as_millisecond();
        Ok(opened.map_or(PageAge::Unknown, |at| {
            PageAge::Millis(now.saturating_sub(at.as_millisecond()))
        }))
    }

    /// The key; drawn by whoever of all hosts needs it first.
    async fn link_key(&self) -> Result<&LinkKey, AppError> {
        self.inner
            .link_key
            .get_or_try_init(|| async {
                let kept = match self.store().setting_get(KEY).await? {
                    Some(kept) => kept,
                    None => self.draw_link_key().await?,
                };
                let bytes = kept.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
                let bytes = bytes.ok_or_else(|| {
                    AppError::Fault(format!("the setting `{KEY}` of the database is no key"))
                })?;
                Ok(LinkKey(Zeroizing::new(bytes)))
            })
            .await
    }

    async fn draw_link_key(&self) -> Result<Json, AppError> {
        let drawn = fresh::secret()?;
        let drawn = Json::String(URL_SAFE_NO_PAD.encode(*drawn));
        let kept = self
            .store()
            .write(move |tx| Box::pin(async move { tx.setting_keep(KEY, &drawn).await }))
            .await?;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LinkKey {
        LinkKey(Zeroizing::new(vec![byte; 32]))
    }

    fn id() -> RecordId {
        "01k9z3n8q6v4wye2j5r7t9b1cd".parse().expect("an id")
    }

    #[test]
    fn a_link_is_read_by_its_own_key_alone_and_nobody_can_change_it() {
        let token = key(1).token(LinkKind::Survey, id());
        assert_eq!(key(1).read(LinkKind::Survey, &token), Some(id()));
        assert_eq!(key(2).read(LinkKind::Survey, &token), None);
        assert_eq!(token.len(), 43);
        assert_eq!(key(1).read(LinkKind::NoSurveys, &token), None);
        for place in 0..token.len() {
            let mut other: Vec<char> = token.chars().collect();
            other[place] = if other[place] == 'A' { 'B' } else { 'A' };
            let other: String = other.into_iter().collect();
            assert_eq!(key(1).read(LinkKind::Survey, &other), None, "{other}");
        }
        for wrong in ["", "A", &token[..22], &token[..42], &format!("{token}AA"), "ä"] {
            assert_eq!(key(1).read(LinkKind::Survey, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_seal_tells_when_its_own_page_was_opened() {
        let at = |millis| Timestamp::from_millisecond(millis).expect("a time");
        let seal = key(1).seal("s/abc", at(1_797_231_600_123));
        assert_eq!(key(1).sealed_at("s/abc", &seal), Some(at(1_797_231_600_123)));
        assert_eq!(key(1).sealed_at("s/abd", &seal), None);
        assert_eq!(key(2).sealed_at("s/abc", &seal), None);
        let (_, tag) = seal.split_once('.').expect("two parts");
        for wrong in ["", ".", "1797231600123.", "x", &format!("1797231600122.{tag}"), &seal[..30]]
        {
            assert_eq!(key(1).sealed_at("s/abc", wrong), None, "{wrong}");
        }
    }
}
