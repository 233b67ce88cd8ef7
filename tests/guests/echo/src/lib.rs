//! Gives back what it is given. It imports only the log, so it measures what
//! a call costs, and nothing else.

use relata_plugin_sdk::prelude::*;

/// What to give back.
#[derive(Deserialize, JsonSchema)]
struct Input {
    value: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    value: Fields,
}

struct Echo;

impl Action for Echo {
    const ID: &str = "echo";
    const TITLE: &str = "Give back the input";
    const SUMMARY: &str = "Gives back the object that it is given.";
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        done(Output { value: input.value })
    }
}

relata_plugin_sdk::plugin!(Echo);
