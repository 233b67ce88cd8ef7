//! From a core module to a component, and what a component imports.

use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldItem;

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum NotAComponent {
    /// A core module that could not be wrapped. Usual reasons: it does not
    /// use `relata_plugin_sdk::plugin!`, or it imports something that the
    /// contract does not have.
    #[error("`{name}` could not be made a component: {why}")]
    Encode {
        /// The plugin.
        name: String,
        /// What the encoder said.
        why: String,
    },
    /// Bytes that are no component at all.
    #[error("not a WebAssembly component: {why}")]
    Decode {
        /// What the decoder said.
        why: String,
    },
}

/// Wraps a core module that was built with the SDK as a component. Of the
/// world's imports only those stay that the module calls.
pub fn componentize(name: &str, module: &[u8]) -> Result<Vec<u8>, NotAComponent> {
    let encode = || ComponentEncoder::default().validate(true).module(module)?.encode();
    // Only the text: the encoder's error type is that of a crate which is no
    // part of this one's API.
    encode()
        .map_err(|error| NotAComponent::Encode { name: name.to_owned(), why: format!("{error:#}") })
}

/// The interfaces that a component really imports, in order, such as
/// `relata:plugin/log@0.1.0`. What it does not import it cannot do.
///
/// Interfaces that only define types (`relata:plugin/types@0.1.0`) have no
/// function to call and are left out.
pub fn imports(component: &[u8]) -> Result<Vec<String>, NotAComponent> {
    let decoded = wit_component::decode(component)
        .map_err(|error| NotAComponent::Decode { why: format!("{error:#}") })?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(NotAComponent::Decode {
            why: "it is a package of interfaces, without code".to_owned(),
        });
    };
    let world = resolve
        .worlds
        .get(world)
        .ok_or_else(|| NotAComponent::Decode { why: "it names no world".to_owned() })?;
    let mut names: Vec<String> = world
        .imports
        .iter()
        .filter(|(_, item)| match item {
            WorldItem::Interface { id, .. } => !resolve.interfaces[*id].functions.is_empty(),
            _ => true,
        })
        .map(|(key, _)| resolve.name_world_key(key))
        .collect();
    names.sort();
    Ok(names)
}
