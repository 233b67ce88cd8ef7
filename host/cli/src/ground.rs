//! What workflows are held against: the data directory that was named, the
//! current one, or the one in which the files lie; else what is shipped.

use std::path::{Path, PathBuf};

use relata_app::{catalog_alone, workflow::Catalog};

use crate::{
    commands::check::{data_directory, templates},
    context::{self, Context},
    progress,
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
            let app = context::open(&root).await?;
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
