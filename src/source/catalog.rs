//! All documents of the input, read twice: once for what they are and whom they name, once to convert them.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    configured::{self, Given},
    entry::{Entry, follow},
    expand::expand,
    index::{Indexed, Skipped},
    link::{Links, Plan, link},
    load::load,
    read::{self, Problem},
    syntax::parse_one,
    text::{SourceText, Span},
    tree::Node,
    unit::Unit,
    values::Values,
};
use crate::{diagnostic::Message, parallel::in_order};

/// What an input consists of, without its contents: memory grows by some hundreds of bytes a document.
#[derive(Debug)]
pub struct Catalog {
    texts: Texts,
    entries: Vec<Entry>,
    plans: Vec<Plan>,
    values: Arc<Values>,
    skipped: Skipped,
    /// The names of values that no text has.
    unused: BTreeSet<String>,
}

impl Catalog {
    /// Reads files, folders and `-` for the first time, but not the objects in the folder `output`, unless it is one of
    /// `paths`. What is wrong with a file as a whole goes to `problems`; all other files are still converted.
    pub fn read(
        paths: &[PathBuf],
        output: Option<&Path>,
        values: impl Into<Values>,
        problems: &mut dyn FnMut(Problem),
    ) -> Self {
        let mut origins = Vec::new();
        let mut configurations = Given::default();
        let mut unread = false;
        let mut unknown = |problem| {
            unread = true;
            problems(problem);
        };
        for file in read::files(paths, output, &mut unknown) {
            if file.is_read_once {
                match read::text(&file.path) {
                    Ok(text) => origins.push(Origin::Memory(Box::new(text))),
                    Err(problem) => unknown(problem),
                }
            } else {
                let folder = file.folder.and_then(|folder| paths.get(folder));
                configurations.add(&file.path, folder.map(PathBuf::as_path));
                origins.push(Origin::File {
                    path: file.path,
                    folder: file.folder.and_then(|folder| u32::try_from(folder).ok()),
                });
            }
        }
        let mut values = values.into();
        configurations.find(&mut values);
        let given = origins.iter().filter_map(Origin::path);
        let named = values.deployments.named_besides(given);
        let named = named.into_iter();
        origins.extend(named.map(|path| Origin::File { path, folder: None }));
        values.configurations = configurations.found();
        // What a configuration reads is converted where it is read, unless it is named.
        let parts = values.configurations.files_read(&values);
        let is_part = |path: &Path| parts.contains(&path.display().to_string());
        origins.retain(|origin| match origin {
            Origin::File { path, folder } => folder.is_none() || !is_part(path),
            Origin::Memory(_) => true,
        });
        let catalog = Self::of_origins(origins, values, unread, problems);
        for folder in &catalog.skipped.folders {
            if let Some(path) = paths.get(*folder) {
                let unread = catalog.skipped.unread.get(folder).cloned();
                problems(unread.unwrap_or_else(|| Problem::empty_folder(path)));
            }
        }
        catalog
    }

    /// The same for texts that are at hand. No file is touched.
    pub fn of_texts(
        texts: impl IntoIterator<Item = SourceText>,
        values: impl Into<Values>,
        problems: &mut dyn FnMut(Problem),
    ) -> Self {
        let texts: Vec<SourceText> = texts.into_iter().collect();
        let mut values = values.into();
        values.jsonnet = configured::jsonnet_of_texts(&texts);
        values.deployments = configured::deployments_of_texts(&texts, &values);
        values.projects = configured::projects_of_texts(&texts);
        values.workspace = configured::workspace_of_texts(&texts);
        values.templates = configured::templates_of_texts(&texts);
        values.configurations = configured::of_texts(&texts);
        let origins = texts.into_iter();
        let origins = origins.map(|text| Origin::Memory(Box::new(text)));
        Self::of_origins(origins.collect(), values, false, problems)
    }

    /// Reads each text once. `incomplete` says that there are others, which could not be read.
    fn of_origins(
        origins: Vec<Origin>,
        values: Values,
        mut incomplete: bool,
        problems: &mut dyn FnMut(Problem),
    ) -> Self {
        let origins: Arc<[Origin]> = origins.into();
        let values = Arc::new(values);
        let texts = || Texts::of(Arc::clone(&origins), Arc::clone(&values));
        let mut catalog = Self {
            texts: texts(),
            // Mostly there is one in each file.
            entries: Vec::with_capacity(origins.len()),
            plans: Vec::new(),
            skipped: Skipped::default(),
            unused: values.names().cloned().collect(),
            values: Arc::clone(&values),
        };
        let Ok(()) = in_order(
            &origins,
            texts,
            |texts, number, origin| match texts.get(number) {
                Ok(source) => Indexed::of(number, &source, origin.folder(), &values),
                Err(problem) => Indexed {
                    problems: vec![problem],
                    is_incomplete: true,
                    folder: origin.folder(),
                    ..Indexed::default()
                },
            },
            |indexed| -> Result<(), Infallible> {
                incomplete |= !indexed.is_skipped && indexed.is_incomplete;
                catalog.skipped.count(&indexed);
                catalog.entries.extend(indexed.entries);
                for name in indexed.named {
                    catalog.unused.remove(&name);
                }
                indexed.problems.into_iter().for_each(&mut *problems);
                Ok(())
            },
        );
        catalog.link(incomplete, problems);
        catalog
    }

    /// How many documents were recognised.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.entries.len()
    }

    /// How many files of folders are no ECS documents.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped.files
    }

    /// How many units they make.
    #[must_use]
    pub fn units(&self) -> usize {
        self.plans.len()
    }

    /// Reads the documents again, unit by unit, in the order of the input.
    pub fn into_units(self) -> impl Iterator<Item = Result<Unit, Problem>> {
        let Self {
            mut texts,
            entries,
            plans,
            values,
            skipped: _,
            unused: _,
        } = self;
        plans
            .into_iter()
            .map(move |plan| load(&plan, &entries, &mut texts, &values))
    }

    /// Reads the documents again, as [`Self::into_units`] does, and calls `work` for each unit and its number on one of
    /// several threads and `take` for each result on this thread, in the order of the input.
    ///
    /// # Errors
    ///
    /// The first error of `take`, which ends the work.
    pub fn for_each_unit<T: Send, E>(
        &self,
        work: impl Fn(usize, Result<Unit, Problem>) -> T + Sync,
        take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        in_order(
            &self.plans,
            || self.texts.unread(),
            |texts, number, plan| work(number, load(plan, &self.entries, texts, &self.values)),
            take,
        )
    }

    /// Reads a single unit again, by its number.
    pub fn unit(&self, number: usize) -> Option<Result<Unit, Problem>> {
        let plan = self.plans.get(number)?;
        let mut texts = self.texts.unread();
        Some(load(plan, &self.entries, &mut texts, &self.values))
    }

    /// The namespace that the custom resources name, if it is only one.
    #[must_use]
    pub fn only_namespace(&self) -> Option<&str> {
        let mut names = self.entries.iter().filter_map(Entry::namespace);
        let first = names.next()?;
        names.all(|other| other == first).then_some(first)
    }

    /// The names of placeholders that are to be filled and stand in no text.
    pub fn unused_names(&self) -> impl Iterator<Item = &str> {
        self.unused.iter().map(String::as_str)
    }

    fn link(&mut self, incomplete: bool, problems: &mut dyn FnMut(Problem)) {
        let Self { texts, entries, .. } = self;
        let origins = Arc::clone(&texts.origins);
        let folders = || folders(&origins);
        let mut same = |a: usize, b: usize| {
            let mut content = |index: usize| {
                let entry = entries.get(index)?;
                if let Some(tree) = texts.tree(entry).ok()? {
                    return follow(&tree, entry.steps()).cloned();
                }
                let source = texts.get(entry.origin()).ok()?;
                let root = parse_one(source.name(), source.slice(entry.slice())).ok()??;
                entry.steps().is_empty().then(|| root.into_owned())
            };
            match (content(a), content(b)) {
                (Some(a), Some(b)) => a.same_content(&b),
                _ => false,
            }
        };
        let links: Links = link(entries, &folders, incomplete, &mut same);
        for duplicate in links.duplicates {
            let mut place = |document: usize| {
                let entry = entries.get(document)?;
                let start = entry.slice().start;
                let tree = texts.tree(entry).ok()?;
                let node = tree.as_ref().and_then(|tree| follow(tree, entry.steps()));
                let start = node.map_or(start, |node| start + node.span.start);
                Some((texts.get(entry.origin()).ok()?, start))
            };
            let (Some((source, start)), Some((first, at))) =
                (place(duplicate.document), place(duplicate.first))
            else {
                continue;
            };
            problems(Problem {
                span: Some(source.whole(Span::new(start, start + 1))),
                source,
                message: Message::DuplicateDocument {
                    kind: duplicate.kind.name().to_owned(),
                    name: duplicate.name,
                    place: format!("{}:{}", first.name(), first.position(at).line),
                },
            });
        }
        self.plans = links.plans;
    }
}

/// A text to read from.
#[derive(Debug)]
enum Origin {
    File {
        path: Box<Path>,
        /// The folder that it was found in.
        folder: Option<u32>,
    },
    /// Standard input and pipes, which cannot be read again, and texts that are given as such.
    Memory(Box<SourceText>),
}

impl Origin {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Memory(_) => None,
        }
    }

    fn folder(&self) -> Option<usize> {
        match self {
            Self::File { folder, .. } => folder.map(|folder| folder as usize),
            Self::Memory(_) => None,
        }
    }
}

/// The texts of the input, of which only the last few are kept.
#[derive(Debug)]
pub(super) struct Texts {
    origins: Arc<[Origin]>,
    values: Arc<Values>,
    recent: Vec<(usize, SourceText)>,
    /// The last parts of texts that hold several documents, with their files and places.
    trees: Vec<(usize, Span, Arc<Node<'static>>)>,
}

impl Texts {
    /// A service, its task definition and its scaling are often in files of their own.
    const KEPT: usize = 4;

    fn of(origins: Arc<[Origin]>, values: Arc<Values>) -> Self {
        Self {
            origins,
            values,
            recent: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// The same texts, none of which is kept.
    fn unread(&self) -> Self {
        Self::of(Arc::clone(&self.origins), Arc::clone(&self.values))
    }

    pub(super) fn get(&mut self, number: usize) -> Result<SourceText, Problem> {
        if let Some((_, text)) = self.recent.iter().find(|(origin, _)| *origin == number) {
            return Ok(text.clone());
        }
        let text = match self.origins.get(number) {
            Some(Origin::Memory(text)) => return Ok(SourceText::clone(text)),
            Some(Origin::File { path, .. }) => read::text(path)?,
            None => SourceText::new("", ""),
        };
        if self.recent.len() == Self::KEPT {
            self.recent.remove(0);
        }
        self.recent.push((number, text.clone()));
        Ok(text)
    }

    /// The tree that the steps of an entry lead through; `None` for an entry without steps, whose text is its own.
    ///
    /// Reading the whole again for each of thousands of documents in it would take minutes.
    pub(super) fn tree(&mut self, entry: &Entry) -> Result<Option<Arc<Node<'static>>>, Problem> {
        if entry.steps().is_empty() {
            return Ok(None);
        }
        let key = (entry.origin(), entry.slice());
        if let Some((.., tree)) = self.trees.iter().find(|(a, b, _)| (*a, *b) == key) {
            return Ok(Some(Arc::clone(tree)));
        }
        let source = self.get(entry.origin())?;
        let parsed = parse_one(source.name(), source.slice(entry.slice()));
        let Some(root) = parsed.ok().flatten() else {
            return Ok(None);
        };
        if self.trees.len() == Self::KEPT {
            self.trees.remove(0);
        }
        let tree = match expand(&root, source.name(), &self.values) {
            Some(expanded) => expanded.into_list(root.span).into_owned(),
            None => root.into_owned(),
        };
        let tree = Arc::new(tree);
        self.trees
            .push((entry.origin(), entry.slice(), Arc::clone(&tree)));
        Ok(Some(tree))
    }
}

/// Returns the number of the folder of each origin.
fn folders(origins: &[Origin]) -> Vec<usize> {
    let mut known = BTreeMap::new();
    origins
        .iter()
        .map(|origin| {
            let path = match origin {
                Origin::File { path, .. } => path,
                Origin::Memory(text) => Path::new(text.name()),
            };
            // Bytes are compared faster than the parts of a path. `./a` is `a`.
            let folder = path.parent().map(|folder| {
                let plain = folder.strip_prefix(".").unwrap_or(folder);
                plain.as_os_str()
            });
            let next = known.len();
            *known.entry(folder).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            kind::Kind,
            testing::{findings, summary, units},
        },
        *,
    };

    const WEB: &str = r#"{"family":"web","containerDefinitions":[{"name":"web","image":"nginx"}]}"#;
    const WEB7: &str = r#"{"taskDefinition":{"family":"web","revision":7,"containerDefinitions":[{"name":"web","image":"nginx:7"}]}}"#;
    const WEB8: &str = r#"{"taskDefinition":{"family":"web","revision":8,"containerDefinitions":[{"name":"web","image":"nginx:8"}]}}"#;

    fn summaries(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let (units, problems) = units(files, &[]);
        let all = units.iter().flat_map(findings).collect();
        (units.iter().map(summary).collect(), all, problems)
    }

    #[test]
    fn documents_find_each_other() {
        let service = |reference: &str| {
            format!(r#"{{"serviceName":"shop","desiredCount":1,"taskDefinition":"{reference}"}}"#)
        };
        let table: &[(&[(&str, &str)], &[&str])] = &[
            (&[("a.json", WEB)], &["service web runs web -"]),
            (
                &[("a.json", WEB7), ("b.json", &service("web"))],
                &["service shop runs web 7"],
            ),
            (
                &[
                    ("a.json", WEB7),
                    ("b.json", WEB8),
                    ("c.json", &service("web")),
                ],
                &["nothing of web", "service shop runs web 8"],
            ),
            (
                &[
                    ("a.json", WEB7),
                    ("b.json", WEB8),
                    ("c.json", &service("web:7")),
                ],
                &["nothing of web", "service shop runs web 7"],
            ),
            (
                &[("a.json", WEB), ("c.json", &service("web:7"))],
                &["service shop runs web 7"],
            ),
            (
                &[
                    ("a.json", WEB),
                    (
                        "c.json",
                        &service("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3"),
                    ),
                ],
                &["service shop runs web 3"],
            ),
            (
                &[("a.json", WEB7), ("b.json", WEB8)],
                &["nothing of web", "service web runs web 8"],
            ),
            (
                &[
                    ("a.json", WEB),
                    ("b.json", r#"{"taskDefinition":"web","count":2}"#),
                ],
                &["task web runs web"],
            ),
            (&[("a.json", &service("web"))], &["nothing of shop"]),
            (
                &[("a.json", WEB), ("b.json", r#"{"desiredCount":2}"#)],
                &["service web runs web -"],
            ),
            (
                &[
                    ("x/a.json", WEB),
                    ("x/s.json", r#"{"desiredCount":2}"#),
                    ("y/b.json", &WEB8.replace("web", "api")),
                ],
                &["service web runs web -", "service api runs api 8"],
            ),
        ];
        for (files, expected) in table {
            let (found, ..) = summaries(files);
            assert_eq!(found, *expected, "{files:?}");
        }
    }

    #[test]
    fn a_list_in_yaml_is_read_once_for_all_of_its_documents() {
        let element = |number: usize| {
            format!("- family: w{number}\n  containerDefinitions: [{{name: a, image: b}}]\n")
        };
        let text: String = (0..4_000).map(element).collect();
        // Work that grows with the square of the input would take minutes.
        let (found, ..) = summaries(&[("a.yaml", &text)]);
        assert_eq!(found.len(), 4_000);
        assert_eq!(found[3_999], "service w3999 runs w3999 -");
    }

    #[test]
    fn scaling_finds_its_service() {
        let service = r#"{"serviceName":"shop","desiredCount":1,"taskDefinition":"web"}"#;
        let target = r#"{"ScalableTargets":[{"ServiceNamespace":"ecs","ResourceId":"service/prod/shop","ScalableDimension":"ecs:service:DesiredCount","MinCapacity":1,"MaxCapacity":4}]}"#;
        let policy = r#"{"PolicyName":"p","PolicyType":"TargetTrackingScaling","ServiceNamespace":"ecs","ScalableDimension":"ecs:service:DesiredCount","ResourceId":"service/prod/shop"}"#;
        let files = [
            ("a.json", WEB),
            ("s.json", service),
            ("t.json", target),
            ("p.json", policy),
        ];
        let (found, ..) = summaries(&files);
        assert_eq!(found, ["service shop runs web - scaled by 1/1/0"]);

        let (found, findings, _) = summaries(&[("a.json", WEB), ("t.json", target)]);
        assert_eq!(found, ["service web runs web -", "nothing of "]);
        assert_eq!(
            findings.last().unwrap(),
            "scalableTarget.ResourceId: OrphanScaling: no service shop is among the documents"
        );

        let assumed = target.replace("shop", "web");
        let (found, ..) = summaries(&[("a.json", WEB), ("t.json", &assumed)]);
        assert_eq!(found, ["service web runs web - scaled by 1/0/0"]);
    }

    #[test]
    fn many_documents_of_one_name_are_not_compared_with_each_other() {
        let texts = [
            (
                "s.json",
                r#"{"serviceName":"s","taskDefinition":"web","desiredCount":1}"#,
            ),
            ("t.json", WEB7),
            (
                "p.json",
                r#"{"PolicyName":"p","PolicyType":"StepScaling","ResourceId":"service/c/none"}"#,
            ),
            (
                "q.json",
                r#"{"PolicyName":"p","PolicyType":"StepScaling","ResourceId":"service/c/s"}"#,
            ),
            (
                "r.json",
                r#"{"Name":"r","ScheduleExpression":"rate(1 day)"}"#,
            ),
            (
                "l.json",
                r#"{"Rule":"r","Targets":[{"Id":"a","EcsParameters":{"TaskDefinitionArn":"web"}}]}"#,
            ),
        ];
        let texts = texts.map(|(name, text)| SourceText::new(name, text));
        let catalog = Catalog::of_texts(texts, Values::default(), &mut |problem| {
            panic!("{problem:?}")
        });
        let mut entries = catalog.entries.clone();
        for number in 0..60_000 {
            for entry in &catalog.entries {
                let mut entry = entry.clone();
                if entry.form.kind() == Kind::Service {
                    entry.rest_mut().cluster = Some(format!("c{number}").into());
                }
                entry.rest_mut().revision = Some(number);
                entries.push(entry);
            }
        }
        // Work that grows with the square of the input would take minutes.
        let links = link(&entries, &|| vec![0; 6], false, &mut |_, _| true);
        assert_eq!(links.duplicates, []);
        assert!(links.plans.len() > 120_000, "{}", links.plans.len());
    }

    #[test]
    fn annotations_are_texts() {
        let text = |annotations: &str| {
            format!(
                "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsTaskDefinition\n\
                 metadata: {{name: web, annotations: {annotations}}}\n\
                 spec: {{containerDefinitions: [{{name: web, image: nginx}}]}}\n"
            )
        };
        for (annotations, expected) in [
            ("{ecs-operator.dev/iam: none, a/b: 1, c: null}", &[][..]),
            (
                "{ecs-operator.dev/iam: [none], a/b: {c: d}}",
                &[
                    "metadata.annotations[\"ecs-operator.dev/iam\"]: InvalidValue: a list: must be a text",
                    "metadata.annotations[\"a/b\"]: InvalidValue: an object: must be a text",
                ],
            ),
            (
                "[a]",
                &["metadata.annotations: InvalidValue: a list: must be an object"],
            ),
        ] {
            let (_, mut found, problems) = summaries(&[("a.yaml", &text(annotations))]);
            found.retain(|finding| !finding.contains("ServiceAssumed"));
            assert_eq!(
                (found.as_slice(), problems.len()),
                (expected_of(expected).as_slice(), 0)
            );
        }
    }

    fn expected_of(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn custom_resources_carry_scaling_and_names() {
        let text = "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsTaskDefinition\nmetadata: {name: web}\n\
                    spec:\n  containerDefinitions:\n    - {name: web, image: nginx}\n---\n\
                    apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsService\nmetadata:\n  name: shop\n  annotations: {ecs-operator.dev/iam: none}\n\
                    spec:\n  taskDefinition: web\n  desiredCount: 2\n  autoScaling:\n    scalableTarget: {MinCapacity: 1, MaxCapacity: '3'}\n";
        let (units, problems) = units(&[("shop.yaml", text)], &[]);
        assert_eq!(problems, Vec::<String>::new());
        let [unit] = units.as_slice() else {
            panic!("{units:?}");
        };
        assert_eq!(summary(unit), "service shop runs web - scaled by 1/0/0");
        assert!(!unit.diagnostics.has_errors(), "{:?}", findings(unit));
        assert_eq!(
            unit.documents[0].annotations["ecs-operator.dev/iam"],
            "none"
        );
    }

    #[test]
    fn the_same_name_twice_is_one_document_or_an_error() {
        let spaced = WEB.replace(',', " ,\n ");
        let (found, _, problems) = summaries(&[("a.json", WEB), ("b.json", &spaced)]);
        assert_eq!((found.len(), problems.len()), (1, 0));
        let other = WEB.replace("nginx", "httpd");
        let (found, _, problems) = summaries(&[("a.json", WEB), ("b.json", &other)]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            problems,
            ["b.json: DuplicateDocument: task definition web is given twice, first in a.json:1"]
        );
        let service = r#"{"serviceName":"shop","desiredCount":1,"taskDefinition":"web"}"#;
        let changed = service.replace('1', "2");
        let files = [
            ("a.json", WEB),
            ("s.json", service),
            ("t.json", &changed),
            ("u.json", service),
        ];
        let (found, _, problems) = summaries(&files);
        assert_eq!(found, ["service shop runs web -"]);
        assert_eq!(
            problems,
            ["t.json: DuplicateDocument: service shop is given twice, first in s.json:1"]
        );
    }

    #[test]
    fn a_bad_file_does_not_stop_the_others() {
        let files = [
            ("a.json", WEB),
            ("b.json", "{}\n{,}"),
            ("c.json", ""),
            ("d.json", "[3]"),
        ];
        let (found, _, problems) = summaries(&files);
        assert_eq!(found, ["service web runs web -"]);
        assert_eq!(
            problems,
            [
                "b.json: SyntaxError: expected a name in double quotes, found `,`",
                "c.json: SyntaxError: the file is empty",
                "d.json: AmbiguousDocument: a number is not an ECS request",
            ]
        );
    }

    #[test]
    fn what_is_assumed_is_said() {
        let (_, findings, _) = summaries(&[("a.json", WEB), ("b.json", r#"{"desiredCount":2}"#)]);
        assert_eq!(
            findings,
            [
                "taskDefinition: TaskDefinitionAssumed: no task definition is named, so web is run, the only one given",
                "serviceName: ServiceNameAssumed: the service has no name, so it is named web after its task definition",
            ]
        );
        let (_, findings, _) = summaries(&[("web.json", r#"[{"name":"a","image":"b"}]"#)]);
        assert_eq!(
            findings,
            [
                ": ContainerListOnly: a bare list of container definitions was taken as a task definition named web",
                ": ServiceAssumed: no service or task runs web, so a service that always runs one task of it is assumed",
            ]
        );
    }

    proptest::proptest! {
        /// Texts of the words that documents are made of, so that many are almost right.
        #[test]
        fn no_text_makes_the_reader_fail(
            words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
            yaml: bool,
        ) {
            let name = if yaml { "a.yaml" } else { "a.json" };
            let text = words.concat();
            let (units, _) = units(&[(name, &text), ("b.json", WEB)], &[("A", "1")]);
            for unit in units {
                for found in unit.diagnostics.iter() {
                    let (source, span) = unit.point_at(found).expect("every field has a place");
                    proptest::prop_assert!(source.text().get(span.range()).is_some());
                }
            }
        }
    }

    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "'",
        "\\",
        "\n",
        " ",
        "  ",
        "- ",
        "---\n",
        ": ",
        "&a ",
        "*a ",
        "<<: ",
        "!Ref ",
        "ä",
        "\u{feff}",
        "{{A}}",
        "<B>",
        "${A}",
        "null",
        "1",
        "-2.5e3",
        "true",
        "# x",
        "// x",
        "\"family\":\"web\"",
        "\"containerDefinitions\":[{\"name\":\"a\",\"image\":\"b\"}]",
        "\"Properties\":{\"Family\":\"x\"}",
        "\"serviceName\":\"s\"",
        "\"taskDefinition\":\"web\"",
        "\"services\":[{\"desiredCount\":1}]",
        "family: web\n",
        "containerDefinitions: [{name: a, image: b, cpu: x}]\n",
        "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsService\n",
        "spec:\n  autoScaling: {scalingPolicies: [{A: 1}]}\n",
        "\"Type\":\"AWS::ECS::Service\"",
        "{\"Fn::Sub\":\"x\"}",
    ];
}
