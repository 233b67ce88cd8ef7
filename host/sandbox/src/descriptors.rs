//! What a plugin says of its actions, before anybody believes it.

use std::collections::BTreeMap;

use relata_package::{is_name, plain, plain_start};

use crate::contract::Descriptor;
use crate::contract::v0_1_0::RawDescriptor;
use crate::error::LoadFault;
use crate::schema::Schema;

/// The most actions of one plugin.
const ACTIONS: usize = 200;

/// The effort of all schemas of one plugin together.
const EFFORT: u64 = 20_000;

/// The longest title, key, or name of an object, field or event, in bytes.
const LINE: usize = 200;

/// The longest summary, in bytes.
const SUMMARY: usize = 8 << 10;

/// The most objects and fields that an action may say it reads or writes, and
/// the most events that may answer it.
const ENTRIES: usize = 500;

/// The compiled schemas of an action.
pub(crate) struct Schemas {
    pub(crate) input: Schema,
    pub(crate) output: Schema,
}

/// Checks what `describe` answered, and compiles the schemas.
pub(crate) fn read(
    described: Vec<RawDescriptor>,
) -> Result<(Vec<Descriptor>, BTreeMap<String, Schemas>), LoadFault> {
    if described.is_empty() {
        return Err(LoadFault::Description("it has none".to_owned()));
    }
    if described.len() > ACTIONS {
        return Err(LoadFault::Description(format!(
            "there are {} of them; the limit is {ACTIONS}",
            described.len()
        )));
    }
    let mut descriptors = Vec::with_capacity(described.len());
    let mut schemas = BTreeMap::new();
    let mut effort = 0;
    for raw in described {
        let mut descriptor = raw.descriptor;
        check_words(&descriptor).map_err(LoadFault::Description)?;
        let id = descriptor.id.clone();
        let read = |which: &str, text: &str| {
            Schema::read(text).map_err(|why| {
                LoadFault::Description(format!("the {which} schema of `{id}` {why}"))
            })
        };
        let (input_schema, input) = read("input", &raw.input_schema)?;
        let (output_schema, output) = read("output", &raw.output_schema)?;
        descriptor.input_schema = input_schema;
        descriptor.output_schema = output_schema;
        effort += input.effort() + output.effort();
        if effort > EFFORT {
            return Err(LoadFault::Description(format!(
                "their schemas together come to more than {EFFORT} keywords"
            )));
        }
        if schemas.insert(id.clone(), Schemas { input, output }).is_some() {
            return Err(LoadFault::Description(format!("the action `{id}` is there twice")));
        }
        descriptors.push(descriptor);
    }
    Ok((descriptors, schemas))
}

/// Lists, pages and messages show these words.
fn check_words(descriptor: &Descriptor) -> Result<(), String> {
    let Descriptor { id, title, summary, reads, writes, correlation, exclusive, .. } = descriptor;
    if !is_name(id) {
        return Err(format!(
            "`{}` cannot be an action's name: a letter a-z first, then letters a-z, digits and _, at most 40",
            plain_start(id)
        ));
    }
    let most = ENTRIES;
    if [reads.len(), writes.len(), correlation.len()].iter().any(|count| *count > most) {
        return Err(format!("a list of `{id}` has more than {most} entries"));
    }
    let answers = correlation.iter().flat_map(|answer| [&answer.event, &answer.output_field]);
    let lines = reads.iter().chain(writes).chain(answers).chain(exclusive);
    for line in lines.chain([title]) {
        if line.len() > LINE || line.contains('\n') || plain(line) != **line {
            return Err(format!(
                "`{}` of `{id}` should be one line of at most {LINE} bytes, without control characters",
                plain_start(line)
            ));
        }
    }
    if summary.len() > SUMMARY || plain(summary) != **summary {
        return Err(format!(
            "the summary of `{id}` should have at most {SUMMARY} bytes, and no control characters"
        ));
    }
    Ok(())
}
