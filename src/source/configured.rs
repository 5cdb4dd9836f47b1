//! Finds the files of the input that belong together: the configurations of Terraform, each of which is made of several,
//! the templates of CloudFormation, which nest each other, and what ecspresso deploys, whose names are in a file of their
//! own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    border::{Below, work_tree},
    cloud_formation::{Folder, Templates},
    compose::{Candidate, Projects, is_params},
    copilot::{Workspace, is_manifest_file},
    ecspresso::{Deployments, is_configuration},
    jsonnet::{self, Folders},
    terraform::configuration::{self, Configurations, Files, Texts, is_source, join, split},
    text::SourceText,
    values::Values,
};

/// The files of configurations that are given.
#[derive(Default)]
pub(super) struct Given {
    /// The folders that have such files, below the folder that was given: that of a file, if it was named itself.
    folders: BTreeMap<PathBuf, BTreeSet<String>>,
    inputs: BTreeSet<String>,
    /// The configurations of ecspresso, by the folders that were given, and below them.
    deployments: BTreeMap<PathBuf, BTreeSet<String>>,
    /// The files that were named themselves.
    named: BTreeSet<PathBuf>,
    /// The files that may be templates, by the folders that were given.
    templates: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// The folders that are given below one border.
#[derive(Default)]
struct Roots {
    /// Where each is below the border, and its path.
    given: Vec<(String, PathBuf)>,
    /// Those with files of configurations, below the border.
    folders: BTreeSet<String>,
}

impl Given {
    /// Adds a file, if it is one of a configuration. `folder` is the given one that it was found in.
    pub(super) fn add(&mut self, path: &Path, folder: Option<&Path>) {
        let name = path.display().to_string();
        let Some(outer) = path.parent() else {
            return;
        };
        let root = folder.unwrap_or(outer);
        let below = |path: &Path| {
            let inside = path.strip_prefix(root).unwrap_or_else(|_| Path::new(""));
            inside.to_string_lossy().replace('\\', "/")
        };
        if is_source(&name) {
            let folders = self.folders.entry(root.to_path_buf()).or_default();
            folders.insert(below(outer));
            self.inputs.insert(name);
            return;
        }
        if is_configuration(&name) {
            let paths = self.deployments.entry(root.to_path_buf()).or_default();
            paths.insert(below(path));
        }
        if folder.is_none() {
            self.named.insert(path.to_path_buf());
        }
        let templates = self.templates.entry(root.to_path_buf()).or_default();
        templates.insert(path.to_path_buf());
    }

    /// Finds which of these files belong together, except the configurations of Terraform.
    pub(super) fn find(&mut self, values: &mut Values) {
        values.jsonnet = self.jsonnet();
        values.deployments = self.deployments(values);
        values.projects = self.projects();
        values.workspace = self.workspace();
        values.templates = self.templates();
    }

    /// Returns the templates among these files.
    fn templates(&mut self) -> Arc<Templates> {
        let given = std::mem::take(&mut self.templates).into_iter();
        let folders = given.flat_map(|(root, paths)| {
            let names = paths.iter().filter_map(|path| {
                let inside = path.strip_prefix(&root).ok()?;
                let inside = inside.to_string_lossy().replace('\\', "/");
                Some((path.display().to_string(), inside))
            });
            by_prefix(
                names,
                &(Arc::new(Below::folder(root.clone())) as Arc<dyn Files>),
            )
        });
        Arc::new(Templates::new(folders.collect()))
    }

    /// Returns what is beside the manifests of Copilot among these files.
    fn workspace(&self) -> Arc<Workspace> {
        let mut workspace = Workspace::default();
        for (root, paths) in &self.templates {
            let files = Below::folder(root.clone());
            for path in paths {
                let name = path.to_string_lossy();
                let inside = path.strip_prefix(root);
                if let Ok(inside) = inside
                    && is_manifest_file(&name)
                {
                    let inside = inside.to_string_lossy().replace('\\', "/");
                    workspace.add(&name, &inside, &files);
                }
            }
        }
        Arc::new(workspace)
    }

    /// Returns the projects of the Amazon ECS CLI among these files.
    fn projects(&self) -> Arc<Projects> {
        let files = || self.templates.values().flatten();
        if !files().any(|path| is_params(&path.to_string_lossy())) {
            return Arc::default();
        }
        let yaml = files().filter(|path| {
            let extension = path.extension().and_then(|it| it.to_str());
            matches!(extension, Some("yaml" | "yml"))
        });
        let candidates = yaml.map(|path| Candidate {
            name: path.display().to_string(),
            is_named: self.named.contains(path),
        });
        let candidates: Vec<_> = candidates.collect();
        let read = |name: &str| {
            let path = Path::new(name);
            let file = path.file_name()?.to_str()?;
            let outer = path.parent().unwrap_or_else(|| Path::new(""));
            let text = Below::folder(outer.to_path_buf()).text(file).ok()?;
            Some(SourceText::new(name, text.text()))
        };
        Arc::new(Projects::of(&candidates, &read))
    }

    /// Returns what the configurations of ecspresso among these files say.
    fn deployments(&self, values: &Values) -> Arc<Deployments> {
        let mut deployments = Deployments::default();
        for (root, paths) in &self.deployments {
            let files = Below::folder(root.clone());
            let called = |path: &str| root.join(path).display().to_string();
            for path in paths {
                deployments.add(path, &files, &called, values);
            }
        }
        Arc::new(deployments)
    }

    /// Returns where files of Jsonnet find what they import: below the folders that were given, and the Git work trees
    /// around them, as a configuration of Terraform does.
    fn jsonnet(&self) -> Arc<Folders> {
        let has_any = |paths: &BTreeSet<PathBuf>| {
            let mut names = paths.iter().map(|path| path.to_string_lossy());
            names.any(|name| jsonnet::is_jsonnet(&name) || is_configuration(&name))
        };
        let given = self.templates.iter().filter(|(_, paths)| has_any(paths));
        let folders = given.map(|(root, _)| {
            let (border, base) = work_tree(root).unwrap_or_else(|| (root.clone(), String::new()));
            let given = vec![(base.clone(), root.clone())];
            jsonnet::Folder {
                files: Arc::new(Below::new(border, given)),
                prefix: root.display().to_string(),
                base,
            }
        });
        Arc::new(Folders::new(folders.collect()))
    }

    /// Returns the configurations of these files.
    pub(super) fn found(self) -> Arc<Configurations> {
        let mut all: BTreeMap<PathBuf, Roots> = BTreeMap::new();
        for (root, folders) in self.folders {
            // Without a work tree, the folder itself is the border.
            let (border, prefix) =
                work_tree(&root).unwrap_or_else(|| (root.clone(), String::new()));
            let roots = all.entry(border).or_default();
            let below = folders.iter().filter_map(|it| join(&prefix, it));
            roots.folders.extend(below);
            roots.given.push((prefix, root));
        }
        let given = all.into_iter().map(|(border, roots)| configuration::Given {
            files: Box::new(Below::new(border, roots.given)),
            folders: roots.folders,
        });
        Arc::new(Configurations::new(given.collect(), self.inputs))
    }
}

/// Returns folders of files by what their names begin with, before their paths.
fn by_prefix(names: impl Iterator<Item = (String, String)>, files: &Arc<dyn Files>) -> Vec<Folder> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, path) in names {
        if let Some(prefix) = name.strip_suffix(&path) {
            folders.entry(prefix.to_owned()).or_default().insert(path);
        }
    }
    let folders = folders.into_iter().map(|(prefix, inputs)| Folder {
        files: Arc::clone(files),
        prefix,
        inputs,
    });
    folders.collect()
}

/// Returns texts in memory by their paths below the folder that they are all in.
fn by_path<'t>(texts: impl Iterator<Item = &'t SourceText>) -> BTreeMap<String, SourceText> {
    let named = texts.filter_map(|text| {
        let path = join("", text.name().trim_start_matches('/'))?;
        Some((path, text.clone()))
    });
    named.collect()
}

/// Returns the templates among texts in memory, which are all below one folder.
pub(super) fn templates_of_texts(texts: &[SourceText]) -> Arc<Templates> {
    let named = by_path(texts.iter().filter(|text| !is_source(text.name())));
    let names = named.iter();
    let names: Vec<(String, String)> = names
        .map(|(path, text)| (text.name().to_owned(), path.clone()))
        .collect();
    let files: Arc<dyn Files> = Arc::new(Texts(named));
    Arc::new(Templates::new(by_prefix(names.into_iter(), &files)))
}

/// Returns what the configurations of ecspresso among texts in memory say, which are all below one folder.
pub(super) fn deployments_of_texts(texts: &[SourceText], values: &Values) -> Arc<Deployments> {
    let mut deployments = Deployments::default();
    if texts.iter().any(|text| is_configuration(text.name())) {
        let files = Texts(by_path(texts.iter()));
        let called = |path: &str| match files.0.get(path) {
            Some(text) => text.name().to_owned(),
            None => path.to_owned(),
        };
        for path in files.0.keys().filter(|path| is_configuration(path)) {
            deployments.add(path, &files, &called, values);
        }
    }
    Arc::new(deployments)
}

/// Returns the projects of the Amazon ECS CLI among texts in memory, all of which are named.
pub(super) fn projects_of_texts(texts: &[SourceText]) -> Arc<Projects> {
    if !texts.iter().any(|text| is_params(text.name())) {
        return Arc::default();
    }
    let candidates = texts.iter().map(|text| Candidate {
        name: text.name().to_owned(),
        is_named: true,
    });
    let candidates: Vec<_> = candidates.collect();
    let read = |name: &str| texts.iter().find(|text| text.name() == name).cloned();
    Arc::new(Projects::of(&candidates, &read))
}

/// Returns what is beside the manifests of Copilot among texts in memory, which are all below one folder.
pub(super) fn workspace_of_texts(texts: &[SourceText]) -> Arc<Workspace> {
    let mut workspace = Workspace::default();
    if texts.iter().any(|text| is_manifest_file(text.name())) {
        let files = Texts(by_path(texts.iter()));
        for (path, text) in &files.0 {
            if is_manifest_file(path) {
                workspace.add(text.name(), path, &files);
            }
        }
    }
    Arc::new(workspace)
}

/// Returns where files of Jsonnet among texts in memory find what they import.
pub(super) fn jsonnet_of_texts(texts: &[SourceText]) -> Arc<Folders> {
    if !texts.iter().any(|text| jsonnet::is_jsonnet(text.name())) {
        return Arc::default();
    }
    let folder = jsonnet::Folder {
        files: Arc::new(Texts(by_path(texts.iter()))),
        prefix: String::new(),
        base: String::new(),
    };
    Arc::new(Folders::new(vec![folder]))
}

/// Returns the configurations among texts in memory, which are all below one folder.
pub(super) fn of_texts(texts: &[SourceText]) -> Arc<Configurations> {
    if !texts.iter().any(|text| is_source(text.name())) {
        return Arc::default();
    }
    let named = by_path(texts.iter());
    let sources = named.keys().filter(|path| is_source(path));
    let folders = sources.map(|path| split(path).0.to_owned()).collect();
    let inputs = texts.iter().map(|text| text.name().to_owned());
    let inputs = inputs.filter(|name| is_source(name)).collect();
    let files = Box::new(Texts(named));
    let given = vec![configuration::Given { files, folders }];
    Arc::new(Configurations::new(given, inputs))
}
