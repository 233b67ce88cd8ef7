//! What workflows are held against: the data directory that was named, the
//! current one, or the one in which the files lie; else what is shipped.

use std::path::{Path, PathBuf};

use relata_app::{
    catalog_alone,
    workflow::{Catalog, Definition, Head, head, parse_all},
};

use crate::{
    commands::check::{data_directory, templates, usual},
    context::Context,
    progress,
    sources::Sources,
};

/// The data directory, if there is one.
pub(crate) fn root(context: &Context, paths: &[PathBuf]) -> Option<PathBuf> {
    data_directory(context, paths)
}

/// Everything that a workflow may name here.
pub(crate) async fn catalog(context: &Context, paths: &[PathBuf]) -> anyhow::Result<Catalog> {
    let waiting = progress::spinner("loading the actions");
    let catalog = match root(context, paths) {
        Some(root) => {
            let app = context.open_at(&root).await?;
            let catalog = app.catalog().await;
            app.close().await;
            catalog
        }
        None => {
            let beside = paths.first().map_or(Path::new("workflows"), PathBuf::as_path);
            catalog_alone(templates(beside).as_deref()).await
        }
    };
    waiting.finish_and_clear();
    Ok(catalog?)
}

/// Adds the workflows and blueprints that lie in files; gives their
/// definitions, in the order of the files.
pub(crate) fn with_files(catalog: &mut Catalog, sources: &Sources) -> Vec<Option<Definition>> {
    let read = parse_all(sources, catalog);
    for ((file, source), (definition, _)) in sources.iter().zip(&read) {
        match (head(source), definition) {
            (Some(Head::Blueprint(name)), _) => {
                catalog.blueprints.insert(name, (file.clone(), source.clone()));
            }
            (Some(_), Some(definition)) => {
                catalog.workflows.insert(definition.name.clone(), definition.signature());
            }
            _ => {}
        }
    }
    read.into_iter().map(|(definition, _)| definition).collect()
}

/// The workflows of the data directory's folder, or of the folder here; none
/// where there is none.
pub(crate) fn usual_files(context: &Context) -> Sources {
    usual(root(context, &[]).as_deref())
        .and_then(|folder| crate::sources::read(&[folder]))
        .unwrap_or_default()
}
