//! Reads `apprunner.yaml`, with which App Runner builds and runs the code of a repository
//! (<https://docs.aws.amazon.com/apprunner/latest/dg/config-file-ref.html>).
//!
//! It becomes a service with an image, because a cluster builds none by itself: what the file says of building it is named.

use super::{
    expand::Expanded,
    manifest::{Object, Report, Section, text},
    text::Span,
    tree::{Node, Value},
    values::Values,
};

/// What to do about the members that say how the image is built.
const OF_THE_IMAGE: &str = "they are part of the image: build it, such as with the Dockerfile that ecs-operator apprunner \
                            dockerfile writes, and give it with --set image=IMAGE";

/// Whether this is such a file.
pub(super) fn is_file(root: &Node<'_>) -> bool {
    let map = |key| root.get(key).is_some_and(|it| it.members().is_some());
    let scalar = |key| root.get(key).is_some_and(|it| it.scalar().is_some());
    scalar("version") && scalar("runtime") && map("run")
}

/// Returns the service that a file stands for.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Expanded<'a> {
    let mut report = Report::new(values);
    let mut resources = Vec::new();
    if let Ok(mut top) = Section::of(String::new(), root.clone()) {
        let service = service(&mut top, root.span, name, &mut report);
        top.finish(&mut report);
        resources.push(service);
    }
    report.finish(root.span, resources)
}

fn service<'a>(top: &mut Section<'a>, span: Span, name: &str, report: &mut Report<'_>) -> Node<'a> {
    let _version = top.take("version");
    top.unread(&["runtime", "build"], OF_THE_IMAGE, report);
    let run = top.section("run");
    let mut run = run.unwrap_or_else(|| Section::empty(span));
    let members = ["runtime-version", "pre-run", "command"];
    run.unread(&members, OF_THE_IMAGE, report);
    let mut configuration = Object::new(span);
    let mut variables = Object::new(span);
    if let Some(mut network) = run.section("network") {
        let port = network.text("port");
        // App Runner sets PORT in any case.
        let variable = network.text("env").filter(|it| it.text() != Some("PORT"));
        if let Some(variable) = variable {
            let port = port.clone();
            let value = port.unwrap_or_else(|| text(variable.span, "8080"));
            variables.put(variable.text().unwrap_or_default().to_owned(), value);
        }
        configuration.maybe("Port", port);
        network.finish(report);
    }
    pairs(&mut run, "env", "value", &mut variables, report);
    let mut secrets = Object::new(span);
    pairs(&mut run, "secrets", "value-from", &mut secrets, report);
    run.finish(report);
    configuration.put("RuntimeEnvironmentVariables", variables.node());
    let mut properties = Object::new(span);
    let name = match service_name(name) {
        Some(name) if report.given("ServiceName").is_none() => text(span, name.to_owned()),
        _ => report.open(span, "ServiceName"),
    };
    properties.put("ServiceName", name);
    if !secrets.is_empty() {
        configuration.put("RuntimeEnvironmentSecrets", secrets.node());
        let mut instance = Object::new(span);
        instance.put("InstanceRoleArn", report.open(span, "InstanceRole"));
        properties.put("InstanceConfiguration", instance.node());
    }
    let mut repository = Object::new(span);
    repository.put("ImageIdentifier", report.open(span, "image"));
    repository.put("ImageRepositoryType", text(span, "ECR"));
    repository.put("ImageConfiguration", configuration.node());
    let mut source = Object::new(span);
    source.put("ImageRepository", repository.node());
    properties.put("SourceConfiguration", source.node());
    let mut resource = Object::new(span);
    resource.put("Type", text(span, "AWS::AppRunner::Service"));
    resource.put("Properties", properties.node());
    resource.node()
}

/// Adds the values of a list of names and values.
fn pairs<'a>(
    run: &mut Section<'a>,
    list: &str,
    value: &'static str,
    object: &mut Object<'a>,
    report: &mut Report<'_>,
) {
    let path = run.path(list);
    for (index, element) in run
        .elements(list)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let path = format!("{path}[{index}]");
        let span = element.span;
        let Ok(mut pair) = Section::of(path.clone(), element) else {
            report.unread(span, path, "write a name and a value");
            continue;
        };
        let is_empty = matches!(pair.peek(value).map(|it| &it.value), Some(Value::Null));
        let (name, mut given) = (pair.text("name"), pair.text(value));
        if is_empty {
            given = Some(text(span, ""));
        }
        match (name.as_ref().and_then(Node::text), given) {
            (Some(name), Some(given)) => object.put(name.to_owned(), given),
            _ => report.unread(span, path, "write a name and a value"),
        }
        pair.finish(report);
    }
}

/// Returns the name of the service, which the file does not have: that of the folder around it, if it can be one.
fn service_name(file: &str) -> Option<&str> {
    let folder = file.rsplit(['/', '\\']).nth(1)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_name = (4..=40).contains(&folder.len())
        && folder.starts_with(|c: char| c.is_ascii_alphanumeric())
        && folder.chars().all(fits);
    is_name.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{syntax::parse_one, tree::print},
        *,
    };

    #[test]
    fn the_service_has_what_runs() {
        let file = "version: 1.0\nruntime: python3\nbuild: {commands: {build: [make]}}\nrun:\n  command: run\n  \
                    network: {port: 8000, env: APP_PORT}\n  env:\n  - {name: A, value: 1}\n  - {name: B, value: }\n  \
                    - C\n  secrets:\n  - {name: S, value-from: 'arn:aws:ssm:eu-west-1:1:parameter/s', more: 1}\n";
        let root = parse_one("a.yaml", file).expect("it is YAML");
        let root = root.expect("it has a document");
        assert!(is_file(&root));
        let values = Values::default();
        let expanded = expand(&root, "repo/shop/apprunner.yaml", &values);
        let [service] = expanded.resources.as_slice() else {
            panic!("{expanded:?}");
        };
        assert_eq!(
            print(service),
            r#"{Type:"AWS::AppRunner::Service",Properties:{ServiceName:"shop",InstanceConfiguration:{InstanceRoleArn:"${InstanceRole}"},SourceConfiguration:{ImageRepository:{ImageIdentifier:"${image}",ImageRepositoryType:"ECR",ImageConfiguration:{Port:"8000",RuntimeEnvironmentVariables:{APP_PORT:"8000",A:"1",B:""},RuntimeEnvironmentSecrets:{S:"arn:aws:ssm:eu-west-1:1:parameter/s"}}}}}}"#
        );
        let said: Vec<String> = expanded
            .findings
            .iter()
            .map(|(_, it)| it.to_string())
            .collect();
        for path in [
            "runtime, build, run.command",
            "run.env[2]",
            "run.secrets[0].more",
            "image",
        ] {
            assert!(said.iter().any(|it| it.contains(path)), "{path}: {said:?}");
        }
    }

    #[test]
    fn a_service_is_named_after_its_folder() {
        for (file, expected) in [
            ("shop/apprunner.yaml", Some("shop")),
            ("C:\\code\\shop\\apprunner.yaml", Some("shop")),
            ("web/apprunner.yaml", None),
            ("./apprunner.yaml", None),
            ("../../apprunner.yaml", None),
            ("apprunner.yaml", None),
            ("<stdin>", None),
        ] {
            assert_eq!(service_name(file), expected, "{file}");
        }
    }
}
