//! The templates of the input: which are nested in others, and what they export to each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{Arc, OnceLock},
};

use super::{
    super::{
        syntax::parse_one,
        terraform::configuration::{Files, join, plain, split},
        text::SourceText,
        values::Values,
    },
    documents,
    index::{Around, Index, each_child},
    is_template,
    nested::whole,
    stack::{Stack, Template, Work},
};

/// The files of the input that may be templates, and what they have for each other once that is needed.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    folders: Vec<Folder>,
    index: OnceLock<Index>,
    /// The files of the input by their absolute paths, once one is spelled in another way.
    absolute: OnceLock<BTreeMap<String, Place>>,
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
    pub(super) template: Rc<Template>,
}

/// Words in the templates that have something for others.
const MARKS: &[&str] = &[
    "AWS::CloudFormation::Stack",
    "AWS::Serverless::Application",
    "AWS::ECS::Cluster",
    "Export",
];

/// How often templates are evaluated with what others export, which may be imported too.
const PASSES: usize = 12;

/// The most values that are made in these.
const MOST: usize = 2_000_000;

/// The most parts of a URL that are looked for in folders.
const LONGEST: usize = 16;

impl Templates {
    /// Returns the templates among these files.
    pub(in crate::source) const fn new(folders: Vec<Folder>) -> Self {
        Self {
            folders,
            index: OnceLock::new(),
            absolute: OnceLock::new(),
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
    pub(super) fn find(
        &self,
        place: Option<&Place>,
        location: &str,
        work: &Work,
    ) -> Result<Source, String> {
        let folder = place.and_then(|it| self.folders.get(it.folder));
        let (Some(place), Some(folder)) = (place, folder) else {
            return Err("the template around it is no file of a folder".to_owned());
        };
        let (beside, _) = split(&place.path);
        let shown = shown(location);
        let url = shown.split_once("://").map(|(_, it)| it);
        let paths: Vec<String> = match url {
            None => {
                let path = join(beside, location);
                let outside = || format!("{shown} is outside of the folder that is given");
                vec![path.ok_or_else(outside)?]
            }
            Some(url) => {
                let parts: Vec<&str> = url.split('/').skip(1).take(LONGEST).collect();
                let ends = (0..parts.len()).filter_map(|from| parts.get(from..));
                let ends = ends.map(|it| it.join("/"));
                let here = ends.flat_map(|it| [join(beside, &it), join("", &it)]);
                here.flatten().filter(|it| !it.is_empty()).collect()
            }
        };
        let mut last = None;
        for path in paths {
            let place = Place {
                folder: place.folder,
                path,
            };
            let read = || {
                let text = folder.files.text(&place.path)?;
                let input = self.place(text.name());
                let input = input.or_else(|| self.spelled_otherwise(folder, &place.path));
                Ok(Template::new(text, input))
            };
            match work.template(&place, read) {
                Ok(template) => return Ok(Source { place, template }),
                Err(why) => last = Some(why),
            }
        }
        Err(match (url, last) {
            (None, Some(why)) => format!("{shown}: {why}"),
            _ => format!("the folder has no file for {shown}"),
        })
    }

    /// Returns where a file of the input is whose name leads to the same file in another way.
    fn spelled_otherwise(&self, folder: &Folder, path: &str) -> Option<Place> {
        let absolute = folder.files.absolute(path)?;
        let inputs = self.absolute.get_or_init(|| {
            let mut inputs = BTreeMap::new();
            for (folder, it) in self.folders.iter().enumerate() {
                for path in &it.inputs {
                    if let Some(absolute) = it.files.absolute(path) {
                        let path = path.clone();
                        inputs.entry(absolute).or_insert(Place { folder, path });
                    }
                }
            }
            inputs
        });
        inputs.get(&absolute).cloned()
    }

    /// Returns what the templates have for each other, which is found out once.
    pub(super) fn index(&self, values: &Values) -> &Index {
        self.index.get_or_init(|| {
            let marked = self.marked();
            let mut known = Around::default();
            let (mut index, mut made) = self.evaluated(&marked, values, &known);
            for _ in 1..PASSES {
                // What is exported may be imported by a template that exports it too.
                if !index.asks || index.around == known || made > MOST {
                    break;
                }
                known = index.around;
                let (next, more) = self.evaluated(&marked, values, &known);
                index = next;
                made = made.saturating_add(more);
            }
            index
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

    /// Evaluates these files, with what others have for them. Returns also how many values were made.
    fn evaluated(
        &self,
        marked: &[(Place, SourceText)],
        values: &Values,
        around: &Around,
    ) -> (Index, usize) {
        let mut all = Vec::new();
        let mut made: usize = 0;
        let mut asks = false;
        let (mut called, mut left_out) = (BTreeSet::new(), BTreeSet::new());
        for (place, text) in marked {
            if called.contains(place) {
                continue;
            }
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
            made = made.saturating_add(stack.work.values());
            asks |= stack.work.asks();
            left_out.extend(whole.left_out.iter().map(|(place, _)| place.clone()));
            each_child(&whole.children, &mut |child| {
                called.extend(child.input.clone());
                left_out.extend(child.left_out.iter().map(|(place, _)| place.clone()));
            });
            all.push((place.clone(), name, whole));
        }
        let mut index = Index::of(all, &called, &left_out);
        index.asks = asks;
        (index, made)
    }

    fn name(&self, place: &Place) -> String {
        let prefix = self.folders.get(place.folder).map(|it| it.prefix.as_str());
        format!("{}{}", prefix.unwrap_or_default(), place.path)
    }
}

/// Returns a location without what follows the path of a URL, which may be a secret.
pub(super) fn shown(location: &str) -> &str {
    if location.contains("://") {
        location.split(['?', '#']).next().unwrap_or_default()
    } else {
        location
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

    const OF_STACK: &str = "!Sub '${AWS::StackName}-Name'";

    /// Asserts what the family is that a template imports from `e0.yaml`, `e1.yaml`, which export these names and values.
    fn assert_imported(import: &str, exports: &[(&str, &str)], expected: &str) {
        let service = format!(
            "Parameters: {{Net: {{Type: String}}}}\nResources:\n  \
             T: {{Type: AWS::ECS::TaskDefinition, Properties: {{Family: {import}, ContainerDefinitions: \
             [{{Name: web, Image: nginx, Memory: 64}}]}}}}\n"
        );
        let exports = exports.iter().enumerate().map(|(number, (name, value))| {
            let text = format!(
                "Parameters: {{Env: {{Type: String}}}}\nResources: {{C: {{Type: AWS::ECS::Cluster}}}}\n\
                 Outputs: {{X: {{Value: {value}, Export: {{Name: {name}}}}}}}\n"
            );
            (format!("e{number}.yaml"), text)
        });
        let exports: Vec<(String, String)> = exports.collect();
        let mut files = vec![("service.yaml", service.as_str())];
        files.extend(exports.iter().map(|(name, text)| (&**name, &**text)));
        let (units, problems) = units(&files, &[]);
        let found: Vec<String> = units.iter().map(summary).collect();
        let expected = format!("service {expected} runs {expected} -");
        assert_eq!(found, [expected], "{import}: {problems:?}");
    }

    #[test]
    fn what_is_imported_is_known_if_one_template_exports_it() {
        for (import, exports, expected) in [
            ("!ImportValue shared", &[("shared", "web")][..], "web"),
            ("!ImportValue other", &[("shared", "web")], "${other}"),
            (
                "!ImportValue shared",
                &[("shared", "!GetAtt C.Unknown")],
                "${shared}",
            ),
            (
                "!ImportValue outer",
                &[("outer", "!ImportValue inner"), ("inner", "web")],
                "web",
            ),
        ] {
            assert_imported(import, exports, expected);
        }
    }

    #[test]
    fn the_name_of_a_stack_in_an_import_may_be_any() {
        let both = &[(OF_STACK, "web"), (OF_STACK, "api")][..];
        let open = "!Sub '${Env}-${AWS::StackName}-Name'";
        for (import, exports, expected) in [
            ("!ImportValue e0-Name", &[(OF_STACK, "web")][..], "web"),
            ("!ImportValue net-Name", &[(OF_STACK, "web")], "web"),
            (
                "!ImportValue {'Fn::Sub': '${Net}-Name'}",
                &[(OF_STACK, "web")],
                "web",
            ),
            ("!ImportValue net-Name", both, "${net-Name}"),
            ("!ImportValue e1-Name", both, "${e1-Name}"),
            (
                "!ImportValue e1-Name",
                &[(OF_STACK, "web"), ("e1-Name", "api")],
                "api",
            ),
            (
                "!ImportValue prod-web-Name",
                &[(open, "web")],
                "${prod-web-Name}",
            ),
            (
                "!ImportValue prod-Name",
                &[("!Sub '${Env}-Name'", "web")],
                "${prod-Name}",
            ),
        ] {
            assert_imported(import, exports, expected);
        }
    }

    #[test]
    fn nothing_imports_from_itself_and_imports_may_lead_on() {
        let service = "Resources: {T: {Type: AWS::ECS::TaskDefinition, Properties: {Family: !ImportValue x0, \
                       ContainerDefinitions: [{Name: web, Image: !ImportValue base-Image, Memory: 64}]}}}\n\
                       Outputs: {I: {Value: own, Export: {Name: !Sub '${AWS::StackName}-Image'}}}\n";
        let link = |number: usize| {
            let value = match number {
                6 => "web".to_owned(),
                _ => format!("!ImportValue x{}", number + 1),
            };
            format!(
                "Resources: {{}}\nOutputs: {{X: {{Value: {value}, Export: {{Name: x{number}}}}}}}\n"
            )
        };
        let links: Vec<(String, String)> =
            (0..7).map(|it| (format!("f{it}.yaml"), link(it))).collect();
        let links = links.iter().map(|(name, text)| (&**name, &**text));
        let files: Vec<(&str, &str)> = links.chain([("service.yaml", service)]).collect();
        let (units, problems) = units(&files, &[]);
        let found: Vec<String> = units.iter().map(summary).collect();
        assert_eq!(found, ["service web runs web -"]);
        let open = problems
            .iter()
            .any(|it| it.contains("only AWS knows base-Image"));
        assert!(open, "{problems:?}");
    }

    #[test]
    fn templates_of_stacks_that_are_not_there_are_not_converted() {
        for (condition, more, parameters, expected) in [
            ("Condition: No", "", "{}", &[][..]),
            ("Condition: Yes", "", "{}", &["service own runs own -"]),
            ("Condition: Open", "", "{}", &[]),
            ("DependsOn: []", "", "!FindInMap [No, such, map]", &[]),
            (
                "Condition: No",
                "  Other: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: child.yaml, Parameters: \
                 {Name: web}}}\n",
                "{}",
                &["service web runs web -"],
            ),
        ] {
            let parent = format!(
                "Parameters: {{Env: {{Type: String}}}}\nConditions: {{No: !Equals [a, b], Yes: !Equals [a, a], \
                 Open: !Equals [!Ref Env, a]}}\nResources:\n  App: {{Type: AWS::CloudFormation::Stack, {condition}, \
                 Properties: {{TemplateURL: child.yaml, Parameters: {parameters}}}}}\n{more}"
            );
            let files = [("child.yaml", CHILD), ("main.yaml", parent.as_str())];
            let (units, problems) = units(&files, &[]);
            let found: Vec<String> = units.iter().map(summary).collect();
            assert_eq!(found, expected, "{condition}");
            let says = |text: &str| problems.iter().any(|it| it.contains(text));
            assert_eq!(
                says("NestedTemplateLeftOut"),
                expected.is_empty(),
                "{condition}: {problems:?}"
            );
            assert_eq!(says("ConditionAssumed"), condition.ends_with("Open"));
            assert_eq!(says("NestedStackFailed"), parameters.starts_with('!'));
        }
    }

    #[test]
    fn references_through_nested_stacks_have_one_limit() {
        let level = |number: usize| {
            let last = match number {
                2 => "end",
                _ => "!GetAtt N.Outputs.X",
            };
            let link = |it: usize| {
                let next = match it {
                    19 => last.to_owned(),
                    _ => format!("!Ref C{}", it + 1),
                };
                format!(
                    "  C{it}: {{Type: AWS::ECS::Cluster, Properties: {{ClusterName: {next}}}}}\n"
                )
            };
            let links: Vec<String> = (0..20).map(link).collect();
            format!(
                "Resources:\n{}{}Outputs: {{X: {{Value: !Ref C0}}}}\n",
                links.concat(),
                stack("N", &format!("{}.yaml", number + 1), "")
            )
        };
        let texts = [0, 1, 2].map(level);
        let service = "Resources:\n  S: {Type: AWS::ECS::Service, Properties: {ServiceName: s, Cluster: !Ref C0, \
                       TaskDefinition: web, DesiredCount: 1}}\n";
        let first = texts[0].replace("Resources:\n", service);
        let files = [
            ("0.yaml", first.as_str()),
            ("1.yaml", texts[1].as_str()),
            ("2.yaml", texts[2].as_str()),
        ];
        let (units, problems) = units(&files, &[]);
        let found = units
            .iter()
            .flat_map(super::super::super::testing::findings);
        let all: Vec<String> = found.chain(problems).collect();
        let limited = all.iter().any(|it| it.contains("more than 32 references"));
        assert!(limited, "{all:?}");
    }
}
