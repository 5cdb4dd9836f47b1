//! The templates of the input: which are nested in others, and what they export to each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use super::{
    super::{
        expand::Expanded,
        syntax::parse_one,
        terraform::configuration::{Files, join, split},
        text::{SourceText, Span},
        values::Values,
    },
    carried::{Carried, place},
    documents,
    export::Export,
    is_template,
    nested::{Child, whole},
    stack::Stack,
};
use crate::diagnostic::Message;

/// The files of the input that may be templates, and what they have for each other once that is needed.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    folders: Vec<Folder>,
    index: OnceLock<Index>,
}

/// The files of one of the paths that were given.
#[derive(Debug)]
pub(in crate::source) struct Folder {
    pub(in crate::source) files: Arc<dyn Files>,
    /// What the names of its files begin with.
    pub(in crate::source) prefix: String,
    /// The paths of the files of the input, below the folder.
    pub(in crate::source) inputs: BTreeSet<String>,
}

/// Where a template is: the number of its folder, and its path below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    folder: usize,
    path: String,
}

/// The template of a nested stack.
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) is_input: bool,
    pub(super) text: SourceText,
}

/// What other templates have for one.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) exports: Vec<Export>,
    /// The default capacity provider strategies of clusters, by their names.
    pub(super) strategies: BTreeMap<String, Carried>,
}

/// What the templates of the input have for each other.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) around: Around,
    /// The nested stacks by the places of their templates, with their logical IDs and the files that nest them.
    nested: BTreeMap<Place, Vec<(String, Arc<Child>)>>,
}

/// Words in the templates that have something for others.
const MARKS: &[&str] = &[
    "AWS::CloudFormation::Stack",
    "AWS::Serverless::Application",
    "ClusterCapacityProviderAssociations",
    "DefaultCapacityProviderStrategy",
    "Export",
];

/// The most parts of a URL that are looked for in folders.
const LONGEST: usize = 16;

impl Templates {
    /// Returns the templates among these files.
    pub(in crate::source) const fn new(folders: Vec<Folder>) -> Self {
        Self {
            folders,
            index: OnceLock::new(),
        }
    }

    /// Whether there are other files beside the one that is read.
    pub(super) fn has_several(&self) -> bool {
        self.folders.iter().map(|it| it.inputs.len()).sum::<usize>() > 1
    }

    /// Returns where a file of the input is.
    pub(super) fn place(&self, name: &str) -> Option<Place> {
        let mut folders = self.folders.iter().enumerate();
        folders.find_map(|(folder, it)| {
            let path = name.strip_prefix(&it.prefix)?.to_owned();
            it.inputs.contains(&path).then_some(Place { folder, path })
        })
    }

    /// Returns the template that a template in `place` names by a path or a URL. Of a URL, the longest part counts that
    /// there is a file for, beside the template or in the folder that was given.
    ///
    /// # Errors
    ///
    /// Why it is not read.
    pub(super) fn find(&self, place: Option<&Place>, location: &str) -> Result<Source, String> {
        let folder = place.and_then(|it| self.folders.get(it.folder));
        let (Some(place), Some(folder)) = (place, folder) else {
            return Err("the template around it is no file of a folder".to_owned());
        };
        let (beside, _) = split(&place.path);
        let url = location.split_once("://").map(|(_, it)| it);
        let paths: Vec<String> = match url {
            None => {
                let path = join(beside, location);
                let outside = || format!("{location} is outside of the folder that is given");
                vec![path.ok_or_else(outside)?]
            }
            Some(url) => {
                let url = url.split(['?', '#']).next().unwrap_or_default();
                let parts: Vec<&str> = url.split('/').skip(1).take(LONGEST).collect();
                let ends = (0..parts.len()).filter_map(|from| parts.get(from..));
                let ends = ends.map(|it| it.join("/"));
                let here = ends.flat_map(|it| [join(beside, &it), join("", &it)]);
                here.flatten().filter(|it| !it.is_empty()).collect()
            }
        };
        let mut last = None;
        for path in paths {
            match folder.files.text(&path) {
                Ok(text) => {
                    let is_input = folder.inputs.contains(&path);
                    let place = Place {
                        folder: place.folder,
                        path,
                    };
                    return Ok(Source {
                        place,
                        is_input,
                        text,
                    });
                }
                Err(why) => last = Some(why),
            }
        }
        Err(match (url, last) {
            (None, Some(why)) => format!("{location}: {why}"),
            _ => format!("the folder has no file for {location}"),
        })
    }

    /// Returns what the templates have for each other, which is found out once.
    pub(super) fn index(&self, values: &Values) -> &Index {
        self.index.get_or_init(|| {
            let marked = self.marked();
            let first = self.evaluated(&marked, values, &Around::default());
            if first.around.exports.is_empty() && first.around.strategies.is_empty() {
                return first;
            }
            // What is exported may be imported from another one, and nested stacks may import too.
            let second = self.evaluated(&marked, values, &first.around);
            self.evaluated(&marked, values, &second.around)
        })
    }

    /// Returns the files that have something for others.
    fn marked(&self) -> Vec<(Place, SourceText)> {
        let mut marked = Vec::new();
        for (folder, it) in self.folders.iter().enumerate() {
            for path in &it.inputs {
                let Ok(text) = it.files.text(path) else {
                    continue;
                };
                if MARKS.iter().any(|mark| text.text().contains(mark)) {
                    let path = path.clone();
                    marked.push((Place { folder, path }, text));
                }
            }
        }
        marked
    }

    fn evaluated(&self, marked: &[(Place, SourceText)], values: &Values, around: &Around) -> Index {
        let mut all = Vec::new();
        let mut called = BTreeSet::new();
        for (place, text) in marked {
            let Some(root) = parse_one(text.name(), text.text()).ok().flatten() else {
                continue;
            };
            if !is_template(&root) {
                continue;
            }
            let name = self.name(place);
            let mut stack = Stack::new(&root, &name, values, around);
            documents(&mut stack);
            let whole = whole(&mut stack);
            let children = whole.children.iter().map(|(_, it)| it.place.clone());
            called.extend(children.filter(|it| it != place));
            all.push((place, name, whole));
        }
        let mut index = Index::default();
        // One that is called is evaluated with the parameters that the stack around it passes, unless it is in a circle.
        let (called, roots): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(place, ..)| called.contains(*place));
        for (place, name, whole) in roots.into_iter().chain(called) {
            if index.nested.contains_key(place) {
                continue;
            }
            index.around.add(whole.exports, whole.strategies);
            for (id, child) in whole.children {
                index.add(&name, id, &child);
            }
        }
        index
    }

    fn name(&self, place: &Place) -> String {
        let prefix = self.folders.get(place.folder).map(|it| it.prefix.as_str());
        format!("{}{}", prefix.unwrap_or_default(), place.path)
    }
}

impl Around {
    fn add(&mut self, exports: Vec<Export>, strategies: BTreeMap<String, Carried>) {
        self.exports.extend(exports);
        self.strategies.extend(strategies);
    }
}

impl Index {
    /// Adds a nested stack and those that it nests.
    fn add(&mut self, file: &str, id: String, child: &Arc<Child>) {
        let (exports, strategies) = (child.exports.clone(), child.strategies.clone());
        self.around.add(exports, strategies);
        for (inner, grandchild) in &child.children {
            self.add(file, format!("{id}.{inner}"), grandchild);
        }
        if child.is_input {
            let nested = self.nested.entry(child.place.clone()).or_default();
            nested.push((format!("{id} of {file}"), Arc::clone(child)));
        }
    }

    /// Returns what a template stands for that begins at `span`, if others nest it: the documents of each nested stack.
    pub(super) fn nested(&self, own: &Place, span: Span) -> Option<Expanded<'static>> {
        let nested = self.nested.get(own)?;
        let mut all = Expanded::default();
        for (_, child) in nested {
            let at = |it: Span| {
                let moved = |at: usize| (at + span.start).saturating_sub(child.start);
                Span::new(moved(it.start), moved(it.end))
            };
            for document in &child.expanded.resources {
                let mut document = document.clone();
                place(&mut document, &at);
                all.resources.push(document);
            }
            for (position, message) in &child.expanded.findings {
                let finding = (at(*position), message.clone());
                if !all.findings.contains(&finding) {
                    all.findings.push(finding);
                }
            }
            all.names.extend(child.expanded.names.iter().cloned());
        }
        let names: Vec<&str> = nested.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        all.findings
            .insert(0, (span, Message::TemplateNested { names }));
        all.is_own = true;
        Some(all)
    }

    /// Whether another template may need what a file exports.
    pub(super) fn exports_of(&self, file: &str) -> bool {
        self.around.exports.iter().any(|it| it.file == file)
    }
}
