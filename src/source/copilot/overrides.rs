//! Applies what changes the task definition that Copilot makes, and names what else is changed.

use super::{
    super::{
        cloud_formation::{expand_part, has_functions},
        manifest::{Report, Section},
        syntax::parse_one,
        text::SourceText,
        tree::{Node, SyntaxError},
    },
    change::{Action, Change, as_resource},
    container::Shared,
    workload::Workload,
};

/// Where the properties of the task definition are in Copilot's template.
const TASK_DEFINITION: &str = "/Resources/TaskDefinition/Properties/";

/// What to do about changes of other resources.
const OF_OTHERS: &str =
    "this is something else that Copilot makes: change it in AWS, or in the output";
/// What to do about patches that Copilot does not take.
const NO_PATCH: &str = "correct it: op is add, replace or remove, path leads to a member, and add and replace have a value";
/// What to do about changes that cannot be applied.
const NOT_THERE: &str = "it is not there, or its number in Copilot's list is not known: correct the path, or change the output";
const OF_COLLECTOR: &str =
    "with observability, Copilot has a collector before the sidecars: change the output";
const OF_FAMILY: &str = "the family has the name of the service";
/// What to do about changes that nobody can read without running them.
const PROGRAM: &str =
    "a program changes the template: convert what copilot svc package, or job package, writes";

/// Returns the task definition with all changes. `before_sidecars` is the number of containers before the sidecars.
pub(super) fn overridden<'a>(
    mut definition: Node<'a>,
    shared: &Shared<'_, 'a>,
    top: &mut Section<'a>,
    before_sidecars: usize,
    report: &mut Report<'_>,
) -> Node<'a> {
    let mut changes = of_manifest(top, report);
    changes.extend(of_patches(shared.workload, report));
    let has_collector = top.has("observability");
    let is_moved = |container| has_collector && container >= before_sidecars;
    let mut is_changed = false;
    for mut change in changes {
        let why = if change.is_of_family() {
            OF_FAMILY
        } else if change.container().is_some_and(is_moved) {
            OF_COLLECTOR
        } else if let Some(value) = evaluated(&change.value, shared, report) {
            change.value = value;
            if change.apply(&mut definition) {
                is_changed = true;
                continue;
            }
            NOT_THERE
        } else {
            "its value is not known: write one"
        };
        report.unread(change.span, change.name, why);
    }
    if is_changed {
        as_resource(definition)
    } else {
        definition
    }
}

/// Names all that is changed of a service that has no task definition.
pub(super) fn name_all(workload: &Workload<'_>, report: &mut Report<'_>) {
    for change in of_patches(workload, report) {
        report.unread(change.span, change.name, OF_OTHERS);
    }
}

/// Names what is beside the manifest and cannot be read.
pub(super) fn name_unread(workload: &Workload<'_>, report: &mut Report<'_>) {
    if workload.beside.has_program {
        report.unread(workload.span(), "overrides".to_owned(), PROGRAM);
    }
    for (path, why) in &workload.beside.unreadable {
        let advice = "make it readable: it must be a file below the folder of the manifest";
        report.unread(workload.span(), format!("{path} ({why})"), advice);
    }
}

/// Takes the changes of the manifest: `ContainerDefinitions[0].Ulimits[-].Name` is the path of a new element.
fn of_manifest<'a>(top: &mut Section<'a>, report: &mut Report<'_>) -> Vec<Change<'a>> {
    let key = "taskdef_overrides";
    let elements = top.elements(key).unwrap_or_default();
    let mut changes = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        let span = element.span;
        let name = format!("{key}[{index}]");
        let advice = "write an object with its path and its value";
        let Ok(mut element) = Section::of(name.clone(), element) else {
            report.unread(span, name, advice);
            continue;
        };
        if let (Some(path), Some(value)) = (element.text("path"), element.take("value")) {
            let path = path.text().unwrap_or_default().replace('[', ".");
            let steps = path.split('.').map(|step| step.trim_end_matches(']'));
            changes.push(Change {
                action: Action::Set,
                path: steps.map(str::to_owned).collect(),
                value,
                name,
                span,
            });
        } else {
            report.unread(span, name, advice);
        }
        element.finish(report);
    }
    changes
}

/// Reads the changes beside the manifest that are about the task definition, and names the others. They have the position
/// of the name of the service, because a document is in one file.
fn of_patches<'a>(workload: &Workload<'a>, report: &mut Report<'_>) -> Vec<Change<'a>> {
    let Some(file) = &workload.beside.patches else {
        return Vec::new();
    };
    let span = workload.span();
    let root = match parse_one(file.name(), file.text()) {
        Ok(root) => root,
        Err(error) => {
            report.unread(span, at(file, &error), "correct it");
            return Vec::new();
        }
    };
    let Some(patches) = root.as_ref().and_then(Node::elements) else {
        let path = file.name().to_owned();
        report.unread(span, path, "correct it: it has to be a list of patches");
        return Vec::new();
    };
    let mut changes = Vec::with_capacity(patches.len());
    for (index, patch) in patches.iter().enumerate() {
        let text = |key: &str| patch.get(key).and_then(Node::text);
        let path = text("path");
        let name = match path {
            Some(path) => format!("{} {path}", file.name()),
            None => format!("{}[{index}]", file.name()),
        };
        let action = text("op").and_then(Action::of);
        let value = patch.get("value").cloned().map(Node::into_owned);
        let (Some(path), Some(action)) = (path, action) else {
            report.unread(span, name, NO_PATCH);
            continue;
        };
        let Some(inside) = path.strip_prefix(TASK_DEFINITION) else {
            let is_whole = TASK_DEFINITION.starts_with(path);
            report.unread(span, name, if is_whole { NO_PATCH } else { OF_OTHERS });
            continue;
        };
        let value = match value {
            Some(value) => value.placed(span),
            None if action == Action::Remove => Node::null(span),
            None => {
                report.unread(span, name, NO_PATCH);
                continue;
            }
        };
        let steps = inside.split('/');
        changes.push(Change {
            action,
            path: steps
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            value,
            name,
            span,
        });
    }
    changes
}

/// Returns the path of a file beside the manifest, with what is wrong with it.
pub(super) fn at(file: &SourceText, error: &SyntaxError) -> String {
    let line = file.position(error.span.start).line;
    format!("{} (line {line}: {})", file.name(), error.message)
}

/// Returns a value with its functions evaluated, as a part of the stack that Copilot makes.
fn evaluated<'a>(
    value: &Node<'a>,
    shared: &Shared<'_, 'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    if !has_functions(value) {
        return Some(value.clone());
    }
    let mut values = report.values.clone();
    let workload = shared.workload;
    let known = workload.known_of_stack().into_iter();
    let known = known.map(|(name, value)| (name.to_owned(), value));
    for (name, value) in known.chain(shared.provided.references().iter().cloned()) {
        values.fill.entry(name).or_insert(value);
    }
    let mut expanded = expand_part(value, &workload.name, &values);
    for name in &expanded.names {
        report.given(name);
    }
    for (span, message) in expanded.findings {
        report.say(span, message);
    }
    expanded.resources.pop()
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{
            terraform::configuration::Texts,
            testing::{expansion, value_after},
            text::SourceText,
            values::Values,
        },
        super::{Workspace, expand},
        *,
    };

    /// Returns the requests of a manifest with files beside it, and what is said of it that it does not read.
    fn made(type_: &str, members: &str, files: &[(&str, &str)]) -> (String, Vec<String>) {
        let manifest = format!("name: web\ntype: {type_}\n{members}\n");
        let own = ("manifest.yml", &*manifest);
        let named = files.iter().chain([&own]).map(|(path, text)| {
            let source = SourceText::new(*path, text);
            ((*path).to_owned(), source)
        });
        let mut workspace = Workspace::default();
        workspace.add("manifest.yml", "manifest.yml", &Texts(named.collect()));
        let values = Values {
            environment: Some("prod".to_owned()),
            region: Some("eu-west-1".to_owned()),
            workspace: workspace.into(),
            ..Values::default()
        };
        let root = parse_one("manifest.yml", &manifest).unwrap().unwrap();
        let expanded = expand(&root, "./manifest.yml", &values);
        let (requests, findings) = expansion(&manifest, &expanded);
        let unread = findings.iter().map(ToString::to_string);
        let unread = unread.filter(|it| it.starts_with("not translated"));
        (requests.join("\n"), unread.collect())
    }

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:<ACCOUNT_ID>:secret:${web.DbSecret}";
    const BACKEND: &str = "Backend Service";
    const PATCHES: &str = "overrides/cfn.patches.yml";

    #[test]
    fn the_manifest_and_patches_change_the_task_definition() {
        for (members, patches, key, expected) in [
            (
                "taskdef_overrides: [{path: PidMode, value: task}]",
                "",
                "PidMode",
                r#""task""#,
            ),
            (
                "taskdef_overrides: [{path: 'ContainerDefinitions[0].Ulimits[-].Name', value: nofile}]",
                "",
                "Ulimits",
                r#"[{Name:"nofile"}]"#,
            ),
            (
                "cpu: 512",
                "[{op: replace, path: /Resources/TaskDefinition/Properties/Cpu, value: 1024}]",
                "cpu",
                "1024",
            ),
            // The patches come last.
            (
                "taskdef_overrides: [{path: PidMode, value: task}]",
                "[{op: remove, path: /Resources/TaskDefinition/Properties/PidMode}]",
                "PidMode",
                "-",
            ),
            (
                "image: {location: a, labels: {a/b: '1'}}",
                "[{op: replace, path: /Resources/TaskDefinition/Properties/ContainerDefinitions/0/DockerLabels/a~1b, value: '2'}]",
                "dockerLabels",
                r#"{a/b:"2"}"#,
            ),
            (
                "",
                "[{op: add, path: /Resources/TaskDefinition/Properties/PidMode, value: !Sub '${AppName}-${EnvName}-${WorkloadName}-${Other}'}]",
                "PidMode",
                r#""${COPILOT_APPLICATION_NAME}-prod-web-${Other}""#,
            ),
        ] {
            let files = [(PATCHES, patches)];
            let files = if patches.is_empty() { &[][..] } else { &files };
            let (requests, unread) = made(BACKEND, members, files);
            assert_eq!(value_after(&requests, key), expected, "{members} {patches}");
            assert_eq!(unread, [""; 0], "{members} {patches}");
        }
    }

    #[test]
    fn what_cannot_be_changed_is_named() {
        let service = "/Resources/Service/Properties/DesiredCount";
        let of_service = format!("[{{op: replace, path: {service}, value: 3}}]");
        let named = format!("not translated: {PATCHES} {service}");
        let sidecars = "{nginx: {image: nginx}}";
        let traced = format!(
            "observability: {{tracing: awsxray}}\nsidecars: {sidecars}\ntaskdef_overrides: [{{path: 'ContainerDefinitions[1].Cpu', value: 1}}]"
        );
        for (type_, members, files, expected) in [
            (BACKEND, "", &[(PATCHES, &*of_service)][..], &[&*named][..]),
            (
                "Request-Driven Web Service",
                "",
                &[(PATCHES, &of_service)],
                &[&named],
            ),
            (
                BACKEND,
                "taskdef_overrides: [{path: 'ContainerDefinitions[4].Cpu', value: 1}, {path: A}, b]",
                &[],
                &[
                    "not translated: taskdef_overrides[0]",
                    "not translated: taskdef_overrides[1], taskdef_overrides[2]",
                ],
            ),
            (
                BACKEND,
                &traced,
                &[],
                &[
                    "not translated: observability",
                    "not translated: taskdef_overrides[0]",
                ],
            ),
            (
                BACKEND,
                "",
                &[(
                    PATCHES,
                    "[{op: test, path: /Resources/TaskDefinition/Properties/Cpu}, {op: add}]",
                )],
                &[
                    "not translated: overrides/cfn.patches.yml /Resources/TaskDefinition/Properties/Cpu, overrides/cfn.patches.yml[1]",
                ],
            ),
            (
                BACKEND,
                "secrets: {B: /b, A: /a}\ntaskdef_overrides: [{path: 'ContainerDefinitions[0].Environment[0].Value', value: a}, {path: 'ContainerDefinitions[0].Secrets[1].ValueFrom', value: a}, {path: Family, value: a}, {path: '', value: a}, {path: A, value: !Ref AWS::NoValue}]",
                &[],
                &[
                    "not translated: taskdef_overrides[0], taskdef_overrides[1], taskdef_overrides[3]",
                    "not translated: taskdef_overrides[2]",
                    "not translated: taskdef_overrides[4]",
                ],
            ),
            (
                BACKEND,
                "",
                &[(PATCHES, "{op: add}")],
                &["not translated: overrides/cfn.patches.yml"],
            ),
            (
                BACKEND,
                "",
                &[("overrides/stack.ts", ""), ("overrides/cdk.json", "{}")],
                &["not translated: overrides"],
            ),
            (
                BACKEND,
                "",
                &[(
                    "addons/db.yml",
                    "Outputs: {Group: {Value: !Ref G}}\nResources: {G: {Type: AWS::EC2::SecurityGroup}}",
                )],
                &["not translated: security group Group"],
            ),
            (
                BACKEND,
                "",
                &[
                    ("addons/db.yml", "["),
                    ("addons/addons.parameters.yml", "["),
                ],
                &[
                    "not translated: addons/db.yml (line 1: while parsing a node, did not find expected node content)",
                ],
            ),
        ] {
            let (_, mut unread) = made(type_, members, files);
            unread.sort();
            assert_eq!(unread, expected, "{members} {files:?}");
        }
    }

    #[test]
    fn containers_get_the_outputs_of_additions() {
        let addon = "{Outputs: {DbHost: {Value: !GetAtt Db.Address}, DbSecret: {Value: !Ref S}, P: {Value: !Ref M}}, \
                     Resources: {S: {Type: AWS::SecretsManager::Secret}, M: {Type: AWS::IAM::ManagedPolicy}}}";
        // Copilot puts all files together.
        let (outputs, resources) = addon.split_at(addon.find("Resources").unwrap());
        let outputs = format!("{}}}", outputs.trim_end().trim_end_matches(','));
        let resources = format!("{{{resources}");
        let files = [("addons/a.yaml", &*outputs), ("addons/b.yml", &resources)];
        let (requests, _) = made(BACKEND, "sidecars: {nginx: {image: nginx}}", &files);
        assert_eq!(
            value_after(&requests, "secrets"),
            format!(r#"[{{name:"DB_SECRET",valueFrom:"{ARN}"}}]"#)
        );
        assert_eq!(requests.matches("secrets:").count(), 1, "{requests}");
        let variable = r#"{name:"DB_HOST",value:"${web.DbHost}"}"#;
        assert_eq!(requests.matches(variable).count(), 2, "{requests}");
        let (requests, _) = made("Request-Driven Web Service", "", &files);
        assert_eq!(
            value_after(&requests, "RuntimeEnvironmentSecrets"),
            format!(r#"{{DB_SECRET:"{ARN}"}}"#)
        );
        assert_eq!(value_after(&requests, "DB_SECRET_ARN"), format!("{ARN:?}"));
        let refers =
            "taskdef_overrides: [{path: PidMode, value: !GetAtt AddonsStack.Outputs.DbHost}]";
        let (requests, _) = made(BACKEND, refers, &files);
        assert_eq!(value_after(&requests, "PidMode"), r#""${web.DbHost}""#);
        let other = "secrets: {DB_HOST: /a}";
        let (requests, _) = made(BACKEND, other, &files);
        assert!(!requests.contains(variable), "{requests}");
        let own = "variables: {DB_HOST: a}\nsecrets: {DB_SECRET: /b}";
        let (requests, _) = made(BACKEND, own, &files);
        assert_eq!(
            value_after(&requests, "secrets"),
            r#"[{name:"DB_SECRET",valueFrom:"/b"}]"#
        );
        assert!(!requests.contains(variable), "{requests}");
    }
}
