//! Finds the task definition that a document means without naming it.

use std::collections::BTreeMap;

use super::{Linker, plan::Choice};
use crate::source::entry::Entry;

/// The only task definition of a file, a folder, the whole input; `None` if there are several.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// The number of the folder of each file.
    folder_of: Vec<usize>,
    files: BTreeMap<usize, Option<usize>>,
    folders: BTreeMap<usize, Option<usize>>,
    all: BTreeMap<(), Option<usize>>,
}

impl Linker<'_> {
    /// Returns the only task definition that is given together with a document: in its file, or else in its folder, or
    /// else in the whole input.
    pub(super) fn sole(&mut self, entry: &Entry) -> Option<Choice> {
        if self.scopes.is_none() {
            self.scopes = Some(self.scopes());
        }
        let scopes = self.scopes.as_ref()?;
        let folder = scopes.folder_of.get(entry.origin())?;
        let found = scopes
            .files
            .get(&entry.origin())
            .or_else(|| scopes.folders.get(folder))
            .or_else(|| scopes.all.get(&()));
        let index = (*found?)?;
        Some(Choice {
            entry: index,
            revision: self.revision(index),
        })
    }

    fn scopes(&self) -> Scopes {
        let mut scopes = Scopes {
            folder_of: (self.folders)(),
            ..Scopes::default()
        };
        let families = self.families.chunk_by(|a, b| self.key(*a) == self.key(*b));
        for newest in families.filter_map(|revisions| revisions.last()) {
            let Some(origin) = self.entry(*newest).map(|entry| entry.origin()) else {
                continue;
            };
            let only = Some(*newest);
            let folder = scopes.folder_of.get(origin).copied().unwrap_or_default();
            let several = |known: &mut Option<usize>| *known = None;
            scopes
                .files
                .entry(origin)
                .and_modify(several)
                .or_insert(only);
            scopes
                .folders
                .entry(folder)
                .and_modify(several)
                .or_insert(only);
            scopes.all.entry(()).and_modify(several).or_insert(only);
        }
        scopes
    }
}
