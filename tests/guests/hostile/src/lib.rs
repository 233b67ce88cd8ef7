//! A plugin that tries to hurt its host, one action a way. The tests of the
//! sandbox run each and look at what becomes of it, and of the host.

use std::hint::black_box;

use relata_plugin_sdk::prelude::*;
use schemars::json_schema;

const MIB: usize = 1 << 20;

/// Nothing is needed.
#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// A text of any size.
#[derive(Serialize, JsonSchema)]
struct Text {
    text: String,
}

/// Never ends.
struct LoopForever;

impl Action for LoopForever {
    const ID: &str = "loop_forever";
    const TITLE: &str = "Never end";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        let mut count = 0_u64;
        loop {
            count = black_box(count.wrapping_add(1));
        }
    }
}

/// Takes memory until there is none.
struct EatMemory;

impl Action for EatMemory {
    const ID: &str = "eat_memory";
    const TITLE: &str = "Take all memory";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(vec![1_u8; MIB]);
            black_box(&hoard);
        }
    }
}

/// Panics.
struct Panic;

impl Action for Panic {
    const ID: &str = "panic";
    const TITLE: &str = "Panic";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        panic!("panicked on purpose")
    }
}

/// Recurses until the stack ends.
struct OverflowStack;

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if frame[0] == u64::MAX {
        return 0;
    }
    deeper(depth + 1) + frame[63]
}

impl Action for OverflowStack {
    const ID: &str = "overflow_stack";
    const TITLE: &str = "Recurse for ever";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        done(Text { text: deeper(0).to_string() })
    }
}

/// Returns 16 MiB.
struct Return16Mib;

impl Action for Return16Mib {
    const ID: &str = "return_16_mib";
    const TITLE: &str = "Return too much";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        done(Text { text: "x".repeat(16 * MIB) })
    }
}

/// Logs 16 MiB, 16 KiB at a time, and goes on.
struct Log16Mib;

impl Action for Log16Mib {
    const ID: &str = "log_16_mib";
    const TITLE: &str = "Log too much";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        let line = "x".repeat(16 * 1024);
        for _ in 0..1024 {
            log::info!("{line}");
        }
        done(Text { text: "logged".to_owned() })
    }
}

/// Remembers something.
struct Remember;

impl Action for Remember {
    const ID: &str = "remember";
    const TITLE: &str = "Remember something";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        state::put("secret", "mine")?;
        done(Text { text: "kept".to_owned() })
    }
}

/// Says what it remembers, under its own key and others' spellings of it.
struct Recall;

impl Action for Recall {
    const ID: &str = "recall";
    const TITLE: &str = "Say what it remembers";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        for key in ["secret", "hostile/secret", "hostile.secret", "../hostile/secret"] {
            if let Some(kept) = state::get::<String>(key)? {
                return done(Text { text: kept.value });
            }
        }
        done(Text { text: "nothing".to_owned() })
    }
}

/// Emits an event and says that another run did.
struct Forge;

impl Action for Forge {
    const ID: &str = "forge";
    const TITLE: &str = "Emit in another run's name";
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        let data = json!({ "run": "run_forged", "workflow": "other", "actor": "user/boss" });
        events::emit("planted", &[], data)?;
        done(Text { text: "emitted".to_owned() })
    }
}

/// The lead that must not exist afterwards.
#[derive(Deserialize, JsonSchema)]
struct Planted {
    email: String,
}

/// Creates a lead, then panics.
struct WriteThenTrap;

impl Action for WriteThenTrap {
    const ID: &str = "write_then_trap";
    const TITLE: &str = "Write a record, then panic";
    const WRITES: &[&str] = &["lead"];
    type Input = Planted;
    type Output = Text;

    fn run(_: &Context, input: Planted) -> Result<Outcome<Text>> {
        let fields = json!({ "name": "Nobody", "email": input.email });
        let lead = records::create("lead", fields)?;
        panic!("panicked on purpose after creating {}", lead.reference())
    }
}

/// Creates a lead, then fails in an orderly way.
struct WriteThenFail;

impl Action for WriteThenFail {
    const ID: &str = "write_then_fail";
    const TITLE: &str = "Write a record, then fail";
    const WRITES: &[&str] = &["lead"];
    type Input = Planted;
    type Output = Text;

    fn run(_: &Context, input: Planted) -> Result<Outcome<Text>> {
        let fields = json!({ "name": "Nobody", "email": input.email });
        records::create("lead", fields)?;
        Err(Error::permanent("failed on purpose after creating a lead"))
    }
}

/// Creates leads without end.
struct WriteForever;

impl Action for WriteForever {
    const ID: &str = "write_forever";
    const TITLE: &str = "Create records without end";
    const WRITES: &[&str] = &["lead"];
    type Input = Nothing;
    type Output = Text;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Text>> {
        for number in 0_u64.. {
            let email = format!("nobody-{number}@hostile.example");
            records::create("lead", json!({ "name": "Nobody", "email": email }))?;
        }
        skip("there are no more numbers")
    }
}

/// An output whose schema promises a number, and whose value is a text.
#[derive(Serialize)]
struct Liar {
    score: &'static str,
}

impl JsonSchema for Liar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Liar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({
            "type": "object",
            "properties": { "score": { "type": "number" } },
            "required": ["score"],
        })
    }
}

/// Returns what its own schema forbids.
struct BadOutput;

impl Action for BadOutput {
    const ID: &str = "bad_output";
    const TITLE: &str = "Return what the schema forbids";
    type Input = Nothing;
    type Output = Liar;

    fn run(_: &Context, _: Nothing) -> Result<Outcome<Liar>> {
        done(Liar { score: "high" })
    }
}

/// The contact to read.
#[derive(Deserialize, JsonSchema)]
struct Target {
    #[schemars(extend("format" = "record/contact"))]
    contact: Reference,
}

/// Reads a contact, which the manifest does not allow.
struct ReadContact;

impl Action for ReadContact {
    const ID: &str = "read_contact";
    const TITLE: &str = "Read without permission";
    type Input = Target;
    type Output = Text;

    fn run(_: &Context, input: Target) -> Result<Outcome<Text>> {
        done(Text { text: records::get(&input.contact)?.field("email")? })
    }
}

/// Mails somebody, which the manifest does not allow.
struct SendMail;

impl Action for SendMail {
    const ID: &str = "send_mail";
    const TITLE: &str = "Mail without permission";
    type Input = Target;
    type Output = Text;

    fn run(_: &Context, input: Target) -> Result<Outcome<Text>> {
        let receipt = messages::send_mail(&input.contact, &"welcome".into(), ())?;
        done(Text { text: format!("{receipt:?}") })
    }
}

relata_plugin_sdk::plugin!(
    LoopForever,
    EatMemory,
    Panic,
    OverflowStack,
    Return16Mib,
    Log16Mib,
    Remember,
    Recall,
    Forge,
    WriteThenTrap,
    WriteThenFail,
    WriteForever,
    BadOutput,
    ReadContact,
    SendMail,
);
