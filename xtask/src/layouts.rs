//! `cargo xtask test layouts`: renders what `convert --layout` writes with Helm and Kustomize, and compares the objects with
//! those of `convert --output-dir`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ecs_operator_testbed::find;
use serde_json::Value;

use crate::{
    Result, chart,
    program::{Profile, built},
    run::{output, root, target},
};

/// What is converted: a folder, and further arguments. Each has something that the others lack.
const INPUTS: &[(&str, &[&str])] = &[
    ("examples/hello", &[]),
    ("examples/shop", &[]),
    ("examples/shop", &["--namespace=shop", "--iam=pod-identity"]),
    ("examples/shop", &["--as=resources"]),
    ("tests/cases/daemon-node-agent", &[]),
    ("tests/cases/ebs-from-a-snapshot", &["--namespace=search"]),
    ("tests/cases/input-placeholders", &[]),
    ("tests/cases/input-templates-of-the-program", &[]),
    ("tests/cases/logs-firelens-with-fluentd", &[]),
    ("tests/cases/pod-windows", &[]),
    (
        "tests/cases/roles-pod-identity-with-ack",
        &[
            "--iam=pod-identity",
            "--eks-cluster-name=prod",
            "--with-addon=ack-eks",
        ],
    ),
    (
        "tests/cases/scaling-queue-depth-to-zero",
        &["--aws-region=eu-central-1"],
    ),
    ("tests/cases/schedule-nightly-report", &[]),
];

/// Values that are not the defaults, in a template with braces of its own, and what has to be in the output.
const BRACES: &str = r#"{
  "family": "web",
  "containerDefinitions": [{
    "name": "web", "image": "shop/web:1.10", "memory": 128,
    "command": ["docker", "inspect", "-f", "{{range .Mounts}}{<HOST>}{{end}}"]
  }]
}"#;
const VALUES: &[&str] = &[
    "--namespace=prod",
    "--set=images.web.web.tag=1.20",
    "--set=images.web.web.digest=sha256:00ff",
    "--set=replicas.web=7",
    r#"--set-string=placeholders.HOST=a"\b<"#,
];
const EXPECTED: &[(&str, &str)] = &[
    ("/metadata/namespace", r#""prod""#),
    ("/spec/replicas", "7"),
    (
        "/spec/template/spec/containers/0/image",
        r#""shop/web:1.20@sha256:00ff""#,
    ),
    (
        "/spec/template/spec/containers/0/args/3",
        r#""{{range .Mounts}}{a\"b<}{{end}}""#,
    ),
];

/// Renders and compares.
///
/// # Errors
///
/// Returns an error if a program cannot be built or fails, or if objects differ.
pub fn check() -> Result<()> {
    let programs = Programs {
        convert: built(Profile::Local)?,
        helm: chart::helm()?,
        kubectl: find("kubectl").map_err(|error| format!("{error:#}"))?,
    };
    let folder = target().join("layouts");
    for (number, (input, more)) in INPUTS.iter().enumerate() {
        eprintln!("$ ecs-operator convert {input} {}", more.join(" "));
        let folder = folder.join(number.to_string());
        programs.compare(input, more, &folder)?;
    }
    programs.values(&folder.join("values"))
}

struct Programs {
    convert: PathBuf,
    helm: PathBuf,
    kubectl: PathBuf,
}

impl Programs {
    fn compare(&self, input: &str, more: &[&str], folder: &Path) -> Result<()> {
        // A file of an earlier version of the program would be in the way.
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let plain = folder.join("plain");
        self.convert(input, more, "plain", &plain)?;
        let expected = of_files(&plain)?;
        if expected.is_empty() {
            return Err(format!("{input} gives no objects").into());
        }
        let base = folder.join("kustomize");
        self.convert(input, more, "kustomize", &base)?;
        let overlay = base.join("overlays/default");
        let text = output(Command::new(&self.kubectl).arg("kustomize").arg(overlay))?;
        same(input, "kustomize", &expected, &objects(&text)?)?;
        let chart = folder.join("helm");
        self.convert(input, more, "helm", &chart)?;
        output(
            Command::new(&self.helm)
                .args(["lint", "--strict"])
                .arg(&chart),
        )?;
        same(input, "helm", &expected, &self.rendered(&chart, &[])?)
    }

    /// Checks that values reach the objects.
    fn values(&self, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let input = folder.join("web.json");
        fs::write(&input, BRACES)?;
        let chart = folder.join("chart");
        self.convert(&input.to_string_lossy(), &[], "helm", &chart)?;
        let objects = self.rendered(&chart, VALUES)?;
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
        let deployment = deployment.ok_or("there is no Deployment")?;
        for (pointer, expected) in EXPECTED {
            let mut expected: Value = serde_json::from_str(expected)?;
            plain_numbers(&mut expected);
            let found = deployment.pointer(pointer);
            if found != Some(&expected) {
                return Err(format!("{pointer} is {found:?}, not {expected}").into());
            }
        }
        Ok(())
    }

    fn convert(&self, input: &str, more: &[&str], layout: &str, folder: &Path) -> Result<()> {
        let mut command = Command::new(&self.convert);
        command.args(["convert", input, "--layout", layout]);
        command.arg("--output-dir").arg(folder).args(more);
        output(command.current_dir(root())).map(drop)
    }

    fn rendered(&self, chart: &Path, more: &[&str]) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.helm);
        command.args(["template", "release"]).arg(chart).args(more);
        objects(&output(&mut command)?)
    }
}

fn of_files(folder: &Path) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        all.extend(objects(&fs::read_to_string(entry?.path())?)?);
    }
    all.sort_by_key(identity);
    Ok(all)
}

/// Parses documents, and sorts the objects.
fn objects(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let mut objects: Vec<Value> = documents.into_iter().filter(|it| !it.is_null()).collect();
    objects.iter_mut().for_each(plain_numbers);
    objects.sort_by_key(identity);
    Ok(objects)
}

fn identity(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!(
        "{} {} {}",
        object["kind"], metadata["namespace"], metadata["name"]
    )
}

/// Makes numbers comparable: 70.0 is 70. Objects are only as deep as Helm reads them.
fn plain_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = float.into();
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(plain_numbers),
        Value::Object(members) => members.values_mut().for_each(plain_numbers),
        _ => {}
    }
}

fn same(input: &str, layout: &str, expected: &[Value], found: &[Value]) -> Result<()> {
    if found.len() != expected.len() {
        let numbers = format!("{} objects instead of {}", found.len(), expected.len());
        return Err(format!("{input} with --layout {layout} gives {numbers}").into());
    }
    for (expected, found) in expected.iter().zip(found) {
        if expected != found {
            return Err(format!(
                "{input} with --layout {layout} gives\n{found:#}\ninstead of\n{expected:#}"
            )
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_differ_by_what_they_say() {
        let parse = |text: &str| objects(text).unwrap();
        let a = "kind: A\nmetadata: {name: a}\nspec: {n: 70.0}\n";
        let b = "kind: B\nmetadata: {name: b}\n";
        let both = parse(&format!("# Source: x\n{a}---\n{b}"));
        let other_way = parse(&format!("{b}---\n{}---\n", a.replace("70.0", "70")));
        assert!(same("", "", &both, &other_way).is_ok());
        assert!(same("", "", &both, &parse(a)).is_err());
        let changed = parse(&format!("{b}---\n{}", a.replace("70.0", "'70'")));
        assert!(same("", "", &both, &changed).is_err());
    }
}
