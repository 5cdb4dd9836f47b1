//! What one file of the input consists of.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    entry::Entry,
    expand::{Expanded, expand, is_read_only_if_named},
    jsonnet::is_jsonnet,
    kind::{self, COMPOSE, find, mentions_ecs},
    placeholder::used,
    read::Problem,
    syntax::Documents,
    text::{SourceText, Span, stem},
    tree::{Node, SyntaxError},
    values::Values,
};
use crate::diagnostic::{Message, Severity};

/// The files of folders that are no ECS documents.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    pub(super) files: usize,
    /// The folders in which there are no other files, by their numbers.
    pub(super) folders: BTreeSet<usize>,
    /// Why nothing is converted of those whose configurations have modules that are not read.
    pub(super) unread: BTreeMap<usize, Problem>,
    /// The other folders.
    useful: BTreeSet<usize>,
}

impl Skipped {
    pub(super) fn count(&mut self, indexed: &Indexed) {
        self.files += usize::from(indexed.is_skipped);
        let Some(folder) = indexed.folder else {
            return;
        };
        if indexed.is_useful() {
            self.useful.insert(folder);
            self.folders.remove(&folder);
        } else if !self.useful.contains(&folder) {
            self.folders.insert(folder);
        }
        if let Some(problem) = &indexed.unread {
            let first = self.unread.entry(folder);
            first.or_insert_with(|| problem.clone());
        }
    }
}

/// How to convert a folder without one of its files.
const LEAVE_OUT: &str = "to leave the file out, name the other files instead of the folder, or begin its name with a dot";

/// What a text consists of.
#[derive(Default)]
pub(super) struct Indexed {
    pub(super) entries: Vec<Entry>,
    /// What is wrong with it, or a note of why it is skipped.
    pub(super) problems: Vec<Problem>,
    /// The folder that it was found in.
    pub(super) folder: Option<usize>,
    /// Whether it is a file of a folder and no ECS document.
    pub(super) is_skipped: bool,
    /// Why nothing of it is converted, if it has modules that are not read.
    pub(super) unread: Option<Problem>,
    /// Whether it has something that is not known, such as a document that cannot be read.
    pub(super) is_incomplete: bool,
    /// The names of placeholders to be filled that it has.
    pub(super) named: BTreeSet<String>,
}

impl Indexed {
    /// Whether it has documents, or something is wrong with it. A configuration may have rules and none of them start tasks.
    fn is_useful(&self) -> bool {
        let mut severities = self
            .problems
            .iter()
            .map(|it| it.message.reason().severity());
        let has_entries = !self.entries.is_empty();
        !self.is_skipped && (has_entries || severities.any(|it| it != Severity::Note))
    }

    /// Finds the documents of a file. A file with a syntax error anywhere has none.
    pub(super) fn of(
        origin: usize,
        source: &SourceText,
        folder: Option<usize>,
        values: &Values,
    ) -> Self {
        let mut indexed = Self {
            folder,
            ..Self::default()
        };
        let mut is_foreign = folder.is_some();
        if let Err(error) = indexed.read(origin, source, values, &mut is_foreign) {
            let problem = Problem {
                source: source.clone(),
                span: Some(source.whole(error.span)),
                message: Message::SyntaxError {
                    message: error.message,
                    advice: String::new(),
                },
            };
            indexed.problems = vec![problem];
            indexed.is_incomplete = true;
            indexed.entries.clear();
            let text = source.text();
            // The shell makes the file that this run prints to before anything is read.
            is_foreign = folder.is_some() && (text.trim().is_empty() || !mentions_ecs(text));
        }
        if folder.is_some() && indexed.entries.is_empty() {
            indexed.explain(is_foreign);
        }
        if !values.fill.is_empty() {
            let names = used(source.text(), &values.fill);
            indexed.named.extend(names.cloned());
        }
        indexed
    }

    /// Makes a note of the problems of a file that was only found in a folder, or adds how to leave it out.
    fn explain(&mut self, is_foreign: bool) {
        let is_unread = |it: &Problem| matches!(it.message, Message::ModulesNotRead { .. });
        if is_foreign && self.problems.iter().any(is_unread) {
            let is_nothing = |it: &&Problem| matches!(it.message, Message::NothingToConvert { .. });
            self.unread = self.problems.iter().find(is_nothing).cloned();
        }
        for problem in &mut self.problems {
            match &mut problem.message {
                // It says why nothing is found.
                Message::ModulesNotRead { .. } => {}
                message if is_foreign => {
                    let why = match &*message {
                        Message::WholeTemplate { format, .. } if format == COMPOSE => {
                            format!("this is a {format} file, which is converted if you name it")
                        }
                        Message::WholeTemplate { format, .. } => format!("this is a {format} file"),
                        _ => message.to_string(),
                    };
                    *message = Message::FileSkipped { why };
                }
                Message::SyntaxError { advice, .. } => {
                    *advice = format!("correct it; {LEAVE_OUT}");
                }
                Message::AmbiguousDocument { advice, .. } => {
                    *advice = format!("{advice}; {LEAVE_OUT}");
                }
                Message::WholeTemplate { or, .. } => *or = format!("; {LEAVE_OUT}"),
                _ => {}
            }
        }
        if is_foreign {
            let mut is_first = true;
            self.problems
                .retain(|it| is_unread(it) || std::mem::take(&mut is_first));
            self.is_skipped = true;
        }
    }

    /// Finds the documents, and sets `is_foreign` to `false` if they may be ECS documents.
    fn read(
        &mut self,
        origin: usize,
        source: &SourceText,
        values: &Values,
        is_foreign: &mut bool,
    ) -> Result<(), SyntaxError> {
        let name = source.name();
        let stem = &*family_of(name);
        let mut documents = Documents::new(name, source.text());
        let mut empty = true;
        while let Some(parsed) = documents.next_document()? {
            empty = false;
            let mut scaled = None;
            // It stands for nothing unless it is named.
            let is_left =
                self.folder.is_some() && is_read_only_if_named(&parsed.root, name, values);
            let expanded = if is_left {
                None
            } else {
                expand(&parsed.root, name, values)
            };
            let is_expanded = expanded.is_some();
            let is_whole = expanded.as_ref().is_some_and(|it| !it.is_part);
            let is_own = expanded.as_ref().is_some_and(|it| it.is_own);
            let root = match expanded {
                Some(expanded) => &self.take(source, expanded, parsed.root.span),
                None => &parsed.root,
            };
            // What there is to say of a file without documents is said already.
            let all = if is_whole && root.elements() == Some(&[]) {
                Vec::new()
            } else {
                find(root)
            };
            for found in all {
                let form = match &found.form {
                    Ok(form) => *form,
                    Err(message) => {
                        self.is_incomplete |= !is_left;
                        self.problems.push(Problem {
                            source: source.clone(),
                            span: Some(
                                source.whole(Span::new(found.span.start, found.span.start + 1)),
                            ),
                            message: message.clone(),
                        });
                        continue;
                    }
                };
                let entry = Entry::new(origin, root, &found, form, stem, &values.fill);
                let Some(mut entry) = entry else { continue };
                if is_expanded || !documents.elements_stand_alone() {
                    entry.set_slice(parsed.slice);
                    if !found.steps.is_empty() {
                        entry.rest_mut().steps = found.steps.into_boxed_slice();
                    }
                }
                entry.inherit(&mut scaled);
                self.entries.push(entry);
            }
            // Only a file without documents is judged, so that others cost nothing.
            // What a program makes is judged, and not its text.
            let judged = if is_jsonnet(name) { root } else { &parsed.root };
            let is_of_others = || !is_own && (is_whole || is_left || kind::is_foreign(judged));
            *is_foreign = *is_foreign && self.entries.is_empty() && is_of_others();
        }
        if empty {
            return Err(SyntaxError::new(Span::default(), "the file is empty"));
        }
        Ok(())
    }

    /// Takes what there is to say of a file of another tool, and returns its documents.
    fn take<'a>(&mut self, source: &SourceText, expanded: Expanded<'a>, span: Span) -> Node<'a> {
        self.named.extend(expanded.names.iter().cloned());
        let mut findings = expanded.findings.iter();
        let is_error = |message: &Message| message.reason().severity() == Severity::Error;
        self.is_incomplete |= findings.any(|(_, message)| is_error(message));
        let problems = expanded.findings.iter().map(|(span, message)| Problem {
            source: source.clone(),
            span: Some(source.whole(*span)),
            message: message.clone(),
        });
        self.problems.extend(problems);
        expanded.into_list(span)
    }
}

/// Returns the family of a list of containers in a file.
fn family_of(file: &str) -> String {
    let stem = stem(file);
    if stem.starts_with('<') {
        "stdin".to_owned()
    } else {
        stem
    }
}
