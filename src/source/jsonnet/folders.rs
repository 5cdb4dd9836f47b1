//! Where files of Jsonnet are, and what they may import.

use std::sync::Arc;

use super::{
    super::{
        terraform::configuration::{Files, join, plain},
        text::SourceText,
        tree::Node,
        values::Values,
    },
    evaluation::{Evaluated, Given, evaluate},
    failure::Failure,
};

/// The files below one border.
#[derive(Debug)]
pub(in crate::source) struct Folder {
    pub(in crate::source) files: Arc<dyn Files>,
    /// What the names of its files begin with in messages.
    pub(in crate::source) prefix: String,
    /// Where the files with these names are below the border.
    pub(in crate::source) base: String,
}

/// The folders with files of Jsonnet.
#[derive(Debug, Default)]
pub(crate) struct Folders(Vec<Folder>);

impl Folders {
    pub(in crate::source) const fn new(folders: Vec<Folder>) -> Self {
        Self(folders)
    }

    /// Returns what a file makes, with what it imports.
    pub(super) fn evaluate(
        &self,
        name: &str,
        text: &str,
        values: &Values,
    ) -> Result<Evaluated, Failure> {
        let given = Given {
            fill: values.fill.clone(),
            account: values.account_id().to_owned(),
        };
        let place = self.place(name);
        let (path, files) = match &place {
            Some((folder, path)) => (&**path, Some(&*folder.files)),
            // Standard input is in no folder.
            None => (name, None),
        };
        evaluate(path, text, files, given)
    }

    /// Returns what a file makes, if it can be evaluated.
    pub(in crate::source) fn tree(
        &self,
        source: &SourceText,
        values: &Values,
    ) -> Option<Node<'static>> {
        let evaluated = self.evaluate(source.name(), source.text(), values);
        Some(evaluated.ok()?.tree)
    }

    /// Returns the folder of a file and its path below the border.
    fn place(&self, name: &str) -> Option<(&Folder, String)> {
        let of = |folder: &'_ Folder| {
            let prefix = plain(&folder.prefix).trim_end_matches('/');
            let inside = plain(name).strip_prefix(prefix)?;
            let is_inside = prefix.is_empty() || inside.starts_with('/');
            let inside = is_inside.then(|| inside.trim_start_matches('/'))?;
            join(&folder.base, inside)
        };
        let around = self.0.iter().filter_map(|it| Some((it, of(it)?)));
        around.max_by_key(|(folder, _)| folder.prefix.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::terraform::configuration::Texts, *};

    #[test]
    fn the_nearest_folder_has_a_file() {
        let folder = |prefix: &str, base: &str| Folder {
            files: Arc::new(Texts::default()),
            prefix: prefix.to_owned(),
            base: base.to_owned(),
        };
        let folders = Folders::new(vec![folder("./order", "x"), folder("orders/", "y")]);
        for (name, expected) in [
            ("orders/task.jsonnet", Some("y/task.jsonnet")),
            ("./order/a/task.jsonnet", Some("x/a/task.jsonnet")),
            ("task.jsonnet", None),
        ] {
            let found = folders.place(name).map(|(_, path)| path);
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }
}
