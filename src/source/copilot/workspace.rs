//! What Copilot reads beside a manifest: additions, each of which is a template of its own
//! (<https://aws.github.io/copilot-cli/docs/developing/addons/workload/>), and what changes the template that it makes
//! (<https://aws.github.io/copilot-cli/docs/developing/overrides/yamlpatch/>).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        syntax::parse_one,
        terraform::configuration::{Files, join, plain, split},
        text::SourceText,
    },
    is_manifest,
};

const OVERRIDES: &str = "overrides";
const ADDONS: &str = "addons";
/// The file with changes; if it is not there, a program of the CDK makes them.
const PATCHES: &str = "cfn.patches.yml";
/// The values that Copilot gives the parameters of additions.
const PARAMETERS: &str = "addons.parameters.yml";

/// The files beside one manifest.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) addons: Vec<SourceText>,
    pub(super) patches: Option<SourceText>,
    /// Whether a program changes the template.
    pub(super) has_program: bool,
    /// The paths of those that cannot be read, with the reason.
    pub(super) unreadable: Vec<(String, String)>,
}

impl Beside {
    /// Reads a file, whose path from the manifest on is `short`. Returns the name that it has as an input, and the text.
    fn text(&mut self, path: &str, short: &str, files: &dyn Files) -> Option<(String, SourceText)> {
        match files.text(path) {
            Ok(text) => {
                let name = plain(text.name()).to_owned();
                Some((name, SourceText::new(short, text.text())))
            }
            Err(why) => {
                self.unreadable.push((short.to_owned(), why));
                None
            }
        }
    }
}

/// The files beside the manifests of the input.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    manifests: BTreeMap<String, Arc<Beside>>,
    addons: BTreeSet<String>,
    /// The files that mean nothing by themselves.
    parts: BTreeSet<String>,
}

/// Whether a file has the name that Copilot gives a manifest; others have such files too.
pub(in crate::source) fn is_manifest_file(name: &str) -> bool {
    let (_, file) = split(name);
    matches!(file, "manifest.yml" | "manifest.yaml")
}

fn is_of_copilot(name: &str, path: &str, files: &dyn Files) -> bool {
    let text = files.text(path);
    let root = text.as_ref().map(|text| parse_one(name, text.text()));
    matches!(&root, Ok(Ok(Some(root))) if is_manifest(root))
}

impl Workspace {
    /// Adds what is beside a file, which has the path `path` among `files`, if it is a manifest.
    pub(in crate::source) fn add(&mut self, name: &str, path: &str, files: &dyn Files) {
        let (outer, _) = split(path);
        let inside = |path: &str| join(outer, path).unwrap_or_default();
        let (overrides, addons) = (
            files.names(&inside(OVERRIDES)),
            files.names(&inside(ADDONS)),
        );
        let mut beside = Beside::default();
        for folder in [OVERRIDES, ADDONS] {
            if files.is_there(&inside(folder)).is_none() {
                let why = "it is a link out of the folder that is given, or cannot be read";
                beside.unreadable.push((folder.to_owned(), why.to_owned()));
            }
        }
        // Most files of the name have nothing beside them, and are not read here.
        let has_none = overrides.is_empty() && addons.is_empty() && beside.unreadable.is_empty();
        if has_none || !is_of_copilot(name, path, files) {
            return;
        }
        let is_patches = |name: &String| name == PATCHES;
        beside.has_program = !overrides.is_empty() && !overrides.iter().any(is_patches);
        if overrides.iter().any(is_patches) {
            let path = format!("{OVERRIDES}/{PATCHES}");
            let text = beside.text(&inside(&path), &path, files);
            beside.patches = text.map(|(name, text)| {
                self.parts.insert(name);
                text
            });
        }
        for addon in addons {
            let is_yaml = [".yml", ".yaml"].iter().any(|it| addon.ends_with(it));
            if !is_yaml {
                continue;
            }
            let path = format!("{ADDONS}/{addon}");
            if let Some((name, text)) = beside.text(&inside(&path), &path, files) {
                if addon == PARAMETERS {
                    self.parts.insert(name);
                } else {
                    self.addons.insert(name);
                    beside.addons.push(text);
                }
            }
        }
        self.manifests
            .insert(plain(name).to_owned(), Arc::new(beside));
    }

    /// Returns what is beside a manifest.
    pub(super) fn beside(&self, manifest: &str) -> Arc<Beside> {
        let known = self.manifests.get(plain(manifest));
        known.map(Arc::clone).unwrap_or_default()
    }

    /// Whether a file is a part of what is read with a manifest: patches, or values for additions.
    pub(in crate::source) fn has_part(&self, file: &str) -> bool {
        self.parts.contains(plain(file))
    }

    /// Whether a file is an addition to a manifest.
    pub(super) fn has_addon(&self, file: &str) -> bool {
        self.addons.contains(plain(file))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::terraform::configuration::Texts, *};

    #[test]
    fn only_what_is_beside_a_manifest_belongs_to_one() {
        let files = [
            ("api/manifest.yml", "{name: api, type: Backend Service}"),
            ("api/addons/db.yml", "{}"),
            ("api/addons/addons.parameters.yml", "{}"),
            ("api/addons/notes.md", ""),
            ("api/overrides/cfn.patches.yml", "[]"),
            // Cloud Foundry has a file of the same name.
            ("web/manifest.yml", "{applications: [{name: web}]}"),
            ("web/addons/db.yml", "{}"),
            ("cdk/manifest.yml", "{name: cdk, type: Worker Service}"),
            ("cdk/overrides/stack.ts", ""),
        ];
        let texts = files.iter().map(|(path, text)| {
            let source = SourceText::new(*path, text);
            ((*path).to_owned(), source)
        });
        let texts = Texts(texts.collect());
        let mut workspace = Workspace::default();
        for (path, _) in files.iter().filter(|(path, _)| is_manifest_file(path)) {
            workspace.add(path, path, &texts);
        }
        for (path, is_addon, is_part) in [
            ("api/addons/db.yml", true, false),
            ("./api/addons/db.yml", true, false),
            ("api/overrides/cfn.patches.yml", false, true),
            ("api/addons/addons.parameters.yml", false, true),
            ("web/addons/db.yml", false, false),
            ("addons/db.yml", false, false),
        ] {
            assert_eq!(workspace.has_addon(path), is_addon, "{path}");
            assert_eq!(workspace.has_part(path), is_part, "{path}");
        }
        for (path, addons, has_patches, has_program) in [
            ("./api/manifest.yml", 1, true, false),
            ("web/manifest.yml", 0, false, false),
            ("cdk/manifest.yml", 0, false, true),
        ] {
            let beside = workspace.beside(path);
            assert_eq!(beside.addons.len(), addons, "{path}");
            assert_eq!(beside.patches.is_some(), has_patches, "{path}");
            assert_eq!(beside.has_program, has_program, "{path}");
        }
    }
}
