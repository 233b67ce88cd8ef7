//! Looks up who is in a segment, and puts records into segments by hand.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// Which record.
    record: Reference,
    /// Which segment.
    #[schemars(extend("format" = "record/segment"))]
    segment: Reference,
}

#[derive(Serialize, JsonSchema)]
struct Membership {
    /// Whether the record is in the segment now.
    member: bool,
}

struct Look;

impl Action for Look {
    const ID: &str = "membership";
    const TITLE: &str = "Look whether a record is in a segment";
    const SUMMARY: &str = "Says whether a record is in a segment at this moment.";
    const READS: &[&str] = &["segment", "segment_member"];
    type Input = Input;
    type Output = Membership;

    fn run(_: &Context, input: Input) -> Result<Outcome<Membership>> {
        done(Membership { member: find(&input)?.1.is_some() })
    }
}

#[derive(Serialize, JsonSchema)]
struct Changed {
    /// Whether it was otherwise before.
    changed: bool,
}

struct Add;

impl Action for Add {
    const ID: &str = "add";
    const TITLE: &str = "Put a record into a segment";
    const SUMMARY: &str = "Puts a record into a segment by hand, where it stays until it is taken \
        out. A record that is already there stays as it is.";
    const READS: &[&str] = &["segment", "segment_member"];
    const WRITES: &[&str] = &["segment_member"];
    const EXCLUSIVE: Option<&str> = Some("segment/{segment}/{record}");
    type Input = Input;
    type Output = Changed;

    fn run(_: &Context, input: Input) -> Result<Outcome<Changed>> {
        let (segment, member) = find(&input)?;
        if member.is_none() {
            records::create(
                "segment_member",
                json!({
                    "segment": segment.reference(),
                    "member": input.record,
                    "by_hand": true,
                }),
            )?;
        }
        done(Changed { changed: member.is_none() })
    }
}

struct Remove;

impl Action for Remove {
    const ID: &str = "remove";
    const TITLE: &str = "Take a record out of a segment";
    const SUMMARY: &str = "Takes a record out of a segment into which it was put by hand. One that \
        is there by the segment's rule cannot be taken out: change the rule, or the record.";
    const READS: &[&str] = &["segment", "segment_member"];
    const WRITES: &[&str] = &["segment_member"];
    const EXCLUSIVE: Option<&str> = Some("segment/{segment}/{record}");
    type Input = Input;
    type Output = Changed;

    fn run(_: &Context, input: Input) -> Result<Outcome<Changed>> {
        let (segment, member) = find(&input)?;
        let Some(member) = member else {
            return done(Changed { changed: false });
        };
        if member.field::<Option<bool>>("by_hand")? != Some(true) {
            let name: String = segment.field("name")?;
            return Err(Error::invalid(format!(
                "{} is in segment {name} by the segment's rule and cannot be taken out by hand",
                input.record
            )));
        }
        records::delete(member.reference())?;
        done(Changed { changed: true })
    }
}

/// The segment, and the record's membership in it if there is one.
fn find(input: &Input) -> Result<(records::Record, Option<records::Record>)> {
    let segment = records::get(input.segment.expect("segment")?)?;
    let member = records::query("segment_member")
        .equal("segment", segment.reference())
        .equal("member", &input.record)
        .first()?;
    Ok((segment, member))
}

relata_plugin_sdk::plugin!(Look, Add, Remove);
