//! Finds the configurations of Terraform among the files of the input: each is made of several.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    read::Below,
    terraform::configuration::{self, Configurations, Texts, is_source, join, split},
    text::SourceText,
};

/// The files of configurations that are given.
#[derive(Default)]
pub(super) struct Given {
    /// The folders that have such files, below the folder that was given: that of a file, if it was named itself.
    folders: BTreeMap<PathBuf, BTreeSet<String>>,
    inputs: BTreeSet<String>,
}

impl Given {
    /// Adds a file, if it is one of a configuration. `folder` is the given one that it was found in.
    pub(super) fn add(&mut self, path: &Path, folder: Option<&Path>) {
        let name = path.display().to_string();
        let Some(outer) = path.parent().filter(|_| is_source(&name)) else {
            return;
        };
        let root = folder.unwrap_or(outer);
        let inside = outer.strip_prefix(root).unwrap_or_else(|_| Path::new(""));
        let inside = inside.to_string_lossy().replace('\\', "/");
        let folders = self.folders.entry(root.to_path_buf()).or_default();
        folders.insert(inside);
        self.inputs.insert(name);
    }

    /// Returns the configurations of these files.
    pub(super) fn found(self) -> Arc<Configurations> {
        let given = self.folders.into_iter().map(|(root, folders)| {
            let files = Box::new(Below(root));
            configuration::Given { files, folders }
        });
        Arc::new(Configurations::new(given.collect(), self.inputs))
    }
}

/// Returns the configurations among texts in memory, which are all below one folder.
pub(super) fn of_texts(texts: &[SourceText]) -> Arc<Configurations> {
    if !texts.iter().any(|text| is_source(text.name())) {
        return Arc::default();
    }
    let path = |text: &SourceText| join("", text.name().trim_start_matches('/'));
    let named = texts
        .iter()
        .filter_map(|text| Some((path(text)?, text.clone())));
    let named: BTreeMap<String, SourceText> = named.collect();
    let sources = named.keys().filter(|path| is_source(path));
    let folders = sources.map(|path| split(path).0.to_owned()).collect();
    let inputs = texts.iter().map(|text| text.name().to_owned());
    let inputs = inputs.filter(|name| is_source(name)).collect();
    let files = Box::new(Texts(named));
    let given = vec![configuration::Given { files, folders }];
    Arc::new(Configurations::new(given, inputs))
}
