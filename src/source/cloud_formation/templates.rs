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
    /// Where it is as a file of the input, if it is one: it may have been named beside the folder.
    pub(super) input: Option<Place>,
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
            let path = plain(name).strip_prefix(plain(&it.prefix))?.to_owned();
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
                    let input = self.place(text.name());
                    let place = Place {
                        folder: place.folder,
                        path,
                    };
                    return Ok(Source { place, input, text });
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
            let children = whole.children.iter();
            let children = children.filter_map(|(_, it)| it.input.clone());
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
                index.add(&name, &id, &child);
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
    fn add(&mut self, file: &str, id: &str, child: &Arc<Child>) {
        let (exports, strategies) = (child.exports.clone(), child.strategies.clone());
        self.around.add(exports, strategies);
        for (inner, grandchild) in &child.children {
            self.add(file, &format!("{id}.{inner}"), grandchild);
        }
        if let Some(place) = &child.input {
            let nested = self.nested.entry(place.clone()).or_default();
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
                add(&mut all.findings, (at(*position), message.clone()));
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

/// Returns the name of a file without a beginning that says nothing: `./a` is `a`.
fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// Adds what one nested stack of a template says, which another one may have said, or said with other names.
fn add(findings: &mut Vec<(Span, Message)>, (span, message): (Span, Message)) {
    use Message::{KnownAfterDeployment, ParametersNotGiven};
    for (at, known) in findings.iter_mut() {
        if *at != span {
            continue;
        }
        match (known, &message) {
            (KnownAfterDeployment { names }, KnownAfterDeployment { names: more })
            | (ParametersNotGiven { names }, ParametersNotGiven { names: more }) => {
                let all = names.split(", ").chain(more.split(", "));
                let all: BTreeSet<&str> = all.collect();
                *names = all.into_iter().collect::<Vec<_>>().join(", ");
                return;
            }
            _ => {}
        }
    }
    if !findings.contains(&(span, message.clone())) {
        findings.push((span, message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{summary, units};

    const CHILD: &str = "Parameters: {Name: {Type: String, Default: own}, Cluster: {Type: String, Default: dev}}\n\
                         Resources:\n  \
                         Task:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      Family: !Ref Name\n      \
                         ContainerDefinitions: [{Name: web, Image: nginx, Memory: 64}]\n  \
                         Service:\n    Type: AWS::ECS::Service\n    \
                         Properties: {Cluster: !Ref Cluster, TaskDefinition: !Ref Task, DesiredCount: 1}\n\
                         Outputs: {Name: {Value: !GetAtt Service.Name}, Absent: {Condition: No, Value: x}}\n\
                         Conditions: {No: !Equals [a, b]}\n";

    /// Returns the units of a template with nested stacks beside it, and what is said of the files.
    fn nested(resources: &str) -> (Vec<String>, Vec<String>) {
        let parent = format!("Resources:\n{resources}");
        let files = [("main.yaml", parent.as_str()), ("parts/child.yaml", CHILD)];
        let (units, problems) = units(&files, &[]);
        (units.iter().map(summary).collect(), problems)
    }

    fn stack(id: &str, url: &str, parameters: &str) -> String {
        format!(
            "  {id}:\n    Type: AWS::CloudFormation::Stack\n    \
             Properties: {{TemplateURL: '{url}', Parameters: {{{parameters}}}}}\n"
        )
    }

    #[test]
    fn nested_stacks_are_found_by_paths_and_urls() {
        for (url, expected) in [
            ("parts/child.yaml", "service web runs web -"),
            ("./parts/../parts/child.yaml", "service web runs web -"),
            (
                "https://s3.amazonaws.com/bucket/a/parts/child.yaml?v=1",
                "service web runs web -",
            ),
            ("s3://bucket/parts/child.yaml", "service web runs web -"),
            (
                "https://s3.amazonaws.com/bucket/child.yaml",
                "service own runs own -",
            ),
            ("child.yaml", "service own runs own -"),
            ("../parts/child.yaml", "service own runs own -"),
            ("/parts/child.yaml", "service own runs own -"),
        ] {
            let (found, problems) = nested(&stack("App", url, "Name: web"));
            assert_eq!(found, [expected], "{url}");
            let is_read = !problems.iter().any(|it| it.contains("NestedStackNotRead"));
            assert_eq!(is_read, expected.contains("web"), "{url}: {problems:?}");
        }
    }

    #[test]
    fn each_nested_stack_has_its_own_parameters_and_outputs() {
        let both = [
            stack("A", "parts/child.yaml", "Name: a"),
            stack(
                "B",
                "parts/child.yaml",
                "Name: !Sub '${A.Outputs.Name}-b', Cluster: !Ref C",
            ),
            "  C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: prod}}\n".to_owned(),
        ];
        let (found, problems) = nested(&both.concat());
        assert_eq!(found, ["service a runs a -", "service a-b runs a-b -"]);
        let note = "parts/child.yaml: TemplateNested: the template is read with the parameters that these \
                    nested stacks pass: A of main.yaml, B of main.yaml";
        assert!(problems.iter().any(|it| it == note), "{problems:?}");
    }

    #[test]
    fn what_a_nested_stack_lacks_is_an_error_where_it_is_needed() {
        for (parameters, expected) in [
            ("Name: !GetAtt App.Outputs.Name", "App refers to itself"),
            ("Name: !GetAtt Other.Outputs.Name2", "has no output Name2"),
            ("Name: !GetAtt Other.Outputs.Absent", "has no output Absent"),
        ] {
            let parent = [
                stack("App", "parts/child.yaml", parameters),
                stack("Other", "parts/child.yaml", "Name: other"),
            ];
            let files = [
                ("main.yaml", format!("Resources:\n{}", parent.concat())),
                ("parts/child.yaml", CHILD.to_owned()),
            ];
            let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
            let (units, problems) = units(&files, &[]);
            let found = units
                .iter()
                .flat_map(super::super::super::testing::findings);
            let all: Vec<String> = found.chain(problems).collect();
            assert!(
                all.iter().any(|it| it.contains(expected)),
                "{parameters}: {all:?}"
            );
        }
    }

    #[test]
    fn nested_stacks_have_limits() {
        let level = |number: usize| {
            let next = format!("{}.yaml", number + 1);
            let two = [stack("A", &next, ""), stack("B", &next, "")];
            (
                format!("{number}.yaml"),
                format!("Resources:\n{}", two.concat()),
            )
        };
        // Each level doubles the stacks, and there are too many levels.
        let mut files: Vec<(String, String)> = (0..14).map(level).collect();
        files.push(("14.yaml".to_owned(), CHILD.to_owned()));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let (_, problems) = units(&files, &[]);
        for expected in [
            "more than 10 stacks are around it",
            "more than 500 nested stacks",
        ] {
            assert!(
                problems.iter().any(|it| it.contains(expected)),
                "{expected}: {problems:?}"
            );
        }
    }

    #[test]
    fn what_is_imported_is_known_if_one_template_exports_it() {
        let service = |name: &str| {
            format!(
                "Parameters: {{Net: {{Type: String}}}}\nResources:\n  \
                 T: {{Type: AWS::ECS::TaskDefinition, Properties: {{Family: {name}, ContainerDefinitions: \
                 [{{Name: web, Image: nginx, Memory: 64}}]}}}}\n"
            )
        };
        let export = |name: &str, value: &str| {
            format!(
                "Resources: {{C: {{Type: AWS::ECS::Cluster}}}}\n\
                 Outputs: {{X: {{Value: {value}, Export: {{Name: {name}}}}}}}\n"
            )
        };
        let stack_name = "!Sub '${AWS::StackName}-Name'";
        for (import, exports, expected) in [
            ("!ImportValue shared", &[export("shared", "web")][..], "web"),
            ("!ImportValue e0-Name", &[export(stack_name, "web")], "web"),
            ("!ImportValue net-Name", &[export(stack_name, "web")], "web"),
            (
                "!ImportValue {'Fn::Sub': '${Net}-Name'}",
                &[export(stack_name, "web")],
                "web",
            ),
            (
                "!ImportValue net-Name",
                &[export(stack_name, "web"), export(stack_name, "api")],
                "${net-Name}",
            ),
            (
                "!ImportValue e1-Name",
                &[export(stack_name, "web"), export(stack_name, "api")],
                "api",
            ),
            ("!ImportValue other", &[export("shared", "web")], "${other}"),
            (
                "!ImportValue shared",
                &[export("shared", "!GetAtt C.Unknown")],
                "${shared}",
            ),
            (
                "!ImportValue outer",
                &[
                    export("outer", "!ImportValue inner"),
                    export("inner", "web"),
                ],
                "web",
            ),
        ] {
            let service = service(import);
            let names: Vec<String> = (0..exports.len()).map(|it| format!("e{it}.yaml")).collect();
            let mut files = vec![("service.yaml", service.as_str())];
            let exports = names.iter().zip(exports);
            files.extend(exports.map(|(name, text)| (name.as_str(), text.as_str())));
            let (units, _) = units(&files, &[]);
            let found: Vec<String> = units.iter().map(summary).collect();
            assert_eq!(
                found,
                [format!("service {expected} runs {expected} -")],
                "{import}"
            );
        }
    }
}
