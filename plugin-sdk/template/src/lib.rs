//! A plugin with one action: it takes needless spaces out of a lead's name.

use relata_plugin_sdk::prelude::*;

/// What a workflow gives the action. The comments of the fields are what people
/// read about them.
#[derive(Deserialize, JsonSchema)]
struct Input {
    /// The lead whose name is tidied up.
    #[schemars(extend("format" = "record/lead"))]
    lead: Reference,
}

/// What the workflow gets.
#[derive(Serialize, JsonSchema)]
struct Output {
    /// The lead's name as it is now.
    name: String,
}

struct TidyName;

impl Action for TidyName {
    // A workflow names it: `do: __NAME__.tidy_name`.
    const ID: &str = "tidy_name";
    const TITLE: &str = "Tidy up a lead's name";
    const SUMMARY: &str = "Takes needless spaces out of a lead's name.";
    const READS: &[&str] = &["lead.name"];
    const WRITES: &[&str] = &["lead.name"];
    type Input = Input;
    type Output = Output;

    // The input fits its schema: the host has checked it. A `?` that returns
    // early undoes all that the action wrote.
    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let lead = records::get(&input.lead)?;
        let name: String = lead.field("name")?;
        let tidied = tidy(&name);
        if tidied == name {
            return skip(format!("the name of {} is tidy", lead.reference()));
        }
        records::update(lead.reference(), json!({ "name": tidied }))?;
        // The log is no place for what customers are called.
        log::info!("tidied the name of a lead");
        done(Output { name: tidied })
    }
}

/// One space between words, and none around them.
fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

relata_plugin_sdk::plugin!(TidyName);

// What needs no host is tested without one: `cargo test`.
#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn needless_spaces_go() {
        assert_eq!(tidy("  Anna   Wolf "), "Anna Wolf");
        assert_eq!(tidy("Anna Wolf"), "Anna Wolf");
    }
}
