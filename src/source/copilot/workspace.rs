//! What Copilot reads beside a manifest: additions, each of which is a template of its own
//! (<https://aws.github.io/copilot-cli/docs/developing/addons/workload/>), and what changes the template that it makes
//! (<https://aws.github.io/copilot-cli/docs/developing/overrides/yamlpatch/>).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::super::{
    terraform::configuration::{Files, plain, split},
    text::SourceText,
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

/// The files beside the manifests of the input.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    manifests: BTreeMap<String, Arc<Beside>>,
    files: BTreeSet<String>,
}

/// Whether a file has the name that Copilot gives a manifest.
pub(in crate::source) fn is_manifest_file(name: &str) -> bool {
    let (_, file) = split(name);
    matches!(file, "manifest.yml" | "manifest.yaml")
}

impl Workspace {
    /// Adds what is beside a manifest, whose file has the path `path` among `files`.
    pub(in crate::source) fn add(&mut self, name: &str, path: &str, files: &dyn Files) {
        let (outer, _) = split(path);
        let inside = |folder: &str| match outer {
            "" => folder.to_owned(),
            outer => format!("{outer}/{folder}"),
        };
        let mut beside = Beside::default();
        let overrides = files.names(&inside(OVERRIDES));
        let is_patches = |name: &String| name == PATCHES;
        beside.has_program = !overrides.is_empty() && !overrides.iter().any(is_patches);
        if overrides.iter().any(is_patches) {
            let path = format!("{OVERRIDES}/{PATCHES}");
            beside.patches = self.text(&inside(&path), &path, files, &mut beside.unreadable);
        }
        for addon in files.names(&inside(ADDONS)) {
            let is_yaml = [".yml", ".yaml"].iter().any(|it| addon.ends_with(it));
            if is_yaml && addon != PARAMETERS {
                let path = format!("{ADDONS}/{addon}");
                let text = self.text(&inside(&path), &path, files, &mut beside.unreadable);
                beside.addons.extend(text);
            }
        }
        self.manifests
            .insert(plain(name).to_owned(), Arc::new(beside));
    }

    fn text(
        &mut self,
        path: &str,
        short: &str,
        files: &dyn Files,
        unreadable: &mut Vec<(String, String)>,
    ) -> Option<SourceText> {
        match files.text(path) {
            Ok(text) => {
                self.files.insert(plain(text.name()).to_owned());
                Some(SourceText::new(short, text.text()))
            }
            Err(why) => {
                unreadable.push((short.to_owned(), why));
                None
            }
        }
    }

    /// Returns what is beside a manifest.
    pub(super) fn beside(&self, manifest: &str) -> Arc<Beside> {
        let known = self.manifests.get(plain(manifest));
        known.map(Arc::clone).unwrap_or_default()
    }

    /// Whether a file is read with a manifest.
    pub(in crate::source) fn has(&self, file: &str) -> bool {
        self.files.contains(plain(file))
    }
}
