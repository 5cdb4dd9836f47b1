//! `cargo xtask chart`: writes and checks the Helm chart, and the plain manifests that are rendered from it.

mod readme;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    Result,
    program::{Profile, built},
    run::{execute, output, root},
};

/// The folder of the chart.
pub const CHART: &str = "charts/ecs-operator";

/// The oldest Kubernetes that the chart supports: without a cluster, Helm selects a version itself.
const KUBERNETES: &str = "--kube-version=1.33.0";

/// The flags that the chart sets itself.
const FIXED_FLAGS: &[&str] = &[
    "help",
    "identity",
    "lease-name",
    "lease-namespace",
    "namespaces",
];

/// Values that a user could plausibly get wrong.
const REFUSED: &[&str] = &[
    "replicas=3",
    "replicaCount=two",
    "settings.platfrom=eks",
    "settings.platform=gke",
    "settings.listen=0.0.0.0:9090",
    "settings.awsAccountId=1234",
    "settings.devices.fuse=example.com/fuse",
    "settings.prometheusUrl=prometheus:9090",
    "settings.metricQueries.Backlog=backlog",
    "settings.externalMetrics.Shop/Backlog=sum(backlog)",
    "settings.cloudWatchMetric={Backlog}",
    "settings.cloudWatchRegion=Ireland",
    "settings.cloudWatchRoleArn=metrics",
    "settings.sqs=maybe",
    "settings.sqsRoleArn=queues",
    "settings.eventQueue=events",
    "watchNamespaces={Shop}",
    "podDisruptionBudget.maxUnavailable=0",
    "logs.agent=fluentd",
    // Neither has it a region, nor is it one.
    "logs.agent=fluent-bit",
    "logs.regions={Ireland}",
    "logs.retentionDays=2",
];

/// The parts of manifests that only Helm uses, and that are removed for users without it.
const OF_HELM: &[&str] = &[
    "  annotations:\n    helm.sh/resource-policy: keep\n",
    "app.kubernetes.io/managed-by: Helm\n",
];

const NAMESPACE: &str = "\
---
apiVersion: v1
kind: Namespace
metadata:
  name: ecs-operator
  labels:
    pod-security.kubernetes.io/enforce: restricted
";

/// Writes the chart's copies of `crds/`, the tables of its README, and `deploy/`.
///
/// # Errors
///
/// Returns an error if Helm is not available or rejects the chart, or a file cannot be written.
pub fn write(_args: &[String]) -> Result<()> {
    // Templates read them.
    for (path, text) in definitions()? {
        save(&path, &text)?;
    }
    let helm = helm()?;
    save(&readme::path(), &readme::text()?)?;
    for (path, text) in manifests(&helm)? {
        save(&path, &text)?;
    }
    Ok(())
}

/// Checks the chart, and that the files of [`write()`] are up to date.
///
/// # Errors
///
/// Returns an error if the chart is not valid or not up to date.
pub fn check() -> Result<()> {
    let helm = helm()?;
    let mut expected = definitions()?;
    expected.push((readme::path(), readme::text()?));
    expected.extend(manifests(&helm)?);
    let mut stale = stale(&expected)?;
    stale.extend(superfluous(&expected)?);
    if !stale.is_empty() {
        return Err(format!("not as `cargo xtask chart` writes it: {}", stale.join(", ")).into());
    }
    versions()?;
    flags()?;
    execute(helm_command(&helm).args(["lint", "--strict", CHART]))?;
    for values in value_sets()? {
        let values = format!("--values={}", values.display());
        execute(helm_command(&helm).args(["lint", "--strict", CHART, &values]))?;
        eprintln!("$ helm template {values}");
        well_formed(&template(&helm, &["--debug", &values])?)
            .map_err(|error| format!("with {values}: {error}"))?;
    }
    for values in REFUSED {
        if template(&helm, &["--set", values]).is_ok() {
            return Err(format!("the chart takes {values}").into());
        }
    }
    Ok(())
}

/// Returns the path of Helm 3, as installed or from the test bed.
///
/// # Errors
///
/// Returns an error if it is not installed and cannot be built.
pub fn helm() -> Result<PathBuf> {
    let installed = Command::new("helm").args(["version", "--short"]).output();
    if installed.is_ok_and(|output| output.stdout.starts_with(b"v3.")) {
        return Ok("helm".into());
    }
    ecs_operator_testbed::find("helm").map_err(|error| format!("{error:#}").into())
}

/// Returns the version of Fluent Bit in the values of the chart.
///
/// # Errors
///
/// Returns an error if the values cannot be read.
pub fn fluent_bit() -> Result<String> {
    let values: Value = serde_saphyr::from_str(&read(&root().join(CHART).join("values.yaml"))?)?;
    let tag = values.pointer("/logs/image/tag").and_then(Value::as_str);
    Ok(tag.ok_or("values.yaml has no logs.image.tag")?.to_owned())
}

/// Returns a command that runs Helm in the root.
pub fn helm_command(helm: &Path) -> Command {
    let mut command = Command::new(helm);
    command.current_dir(root());
    command
}

fn template(helm: &Path, args: &[&str]) -> Result<String> {
    output(
        helm_command(helm)
            .args(["template", "ecs-operator", CHART])
            .args(["--namespace=ecs-operator", KUBERNETES])
            .args(args),
    )
}

/// Returns the chart's copies of `crds/`: Helm reads no files outside a chart.
fn definitions() -> Result<Vec<(PathBuf, String)>> {
    let folder = root().join(CHART).join("files/crds");
    files(&root().join("crds"))?
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default();
            Ok((folder.join(name), read(path)?))
        })
        .collect()
}

/// Returns the files of `deploy/`, except its `kustomization.yaml`.
fn manifests(helm: &Path) -> Result<Vec<(PathBuf, String)>> {
    let made = "# Made from charts/ecs-operator by `cargo xtask chart`.\n";
    let definitions = template(helm, &["--show-only=templates/crds.yaml"])?;
    let operator = template(helm, &["--set=crds.enabled=false"])?;
    let folder = root().join("deploy");
    Ok(vec![
        (
            folder.join("crds.yaml"),
            format!("{made}{}", without_helm(&definitions)),
        ),
        (
            folder.join("operator.yaml"),
            format!("{made}{NAMESPACE}{}", without_helm(&operator)),
        ),
    ])
}

fn without_helm(manifests: &str) -> String {
    let mut text = manifests.to_owned();
    for part in OF_HELM.iter().filter(|part| part.starts_with("  ")) {
        text = text.replace(part, "");
    }
    text.split_inclusive('\n')
        .filter(|line| !OF_HELM.contains(&line.trim_start()))
        .filter(|line| !line.trim_start().starts_with("helm.sh/chart:"))
        .filter(|line| !line.starts_with("# Source:"))
        .collect()
}

/// Checks that the chart has the version of the program.
fn versions() -> Result<()> {
    let line = |path: &str, begin: &str| -> Result<String> {
        let text = read(&root().join(path))?;
        let line = text.lines().find_map(|line| line.strip_prefix(begin));
        let version = line.ok_or_else(|| format!("{path} has no line `{begin}`"))?;
        Ok(version.trim_matches('"').to_owned())
    };
    let program = line("Cargo.toml", "version = ")?;
    let chart = format!("{CHART}/Chart.yaml");
    for member in ["version: ", "appVersion: "] {
        let version = line(&chart, member)?;
        if version != program {
            return Err(format!("{chart} has {member}{version}, Cargo.toml {program}").into());
        }
    }
    Ok(())
}

/// Checks that the settings of the chart are the flags of the program.
fn flags() -> Result<()> {
    let program = built(Profile::Local)?;
    let help = output(Command::new(program).args(["controller", "--help"]))?;
    let flags: BTreeSet<String> = help
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .trim_start_matches("-h, ")
                .strip_prefix("--")
        })
        .map(|flag| flag.split(' ').next().unwrap_or_default().to_owned())
        .filter(|flag| !FIXED_FLAGS.contains(&flag.as_str()))
        .collect();
    let schema = readme::schema()?;
    let settings = readme::settings(&schema).into_iter();
    let settings: BTreeSet<String> = settings.map(|name| flag(name, &schema)).collect();
    if settings == flags {
        Ok(())
    } else {
        let differences: Vec<_> = settings.symmetric_difference(&flags).collect();
        Err(format!("settings of the chart and flags differ in {differences:?}").into())
    }
}

/// Returns the flag of a setting, as the chart derives it. A map has the name of its flag in the plural.
fn flag(setting: &str, schema: &Value) -> String {
    let kind = schema.pointer(&format!("/properties/settings/properties/{setting}/type"));
    let setting = match kind {
        Some(kind) if kind == "object" => match setting.strip_suffix("ies") {
            Some(start) => format!("{start}y"),
            None => setting.strip_suffix('s').unwrap_or(setting).to_owned(),
        },
        _ => setting.to_owned(),
    };
    let mut flag = String::new();
    for letter in setting.chars() {
        if letter.is_ascii_uppercase() {
            flag.push('-');
        }
        flag.push(letter.to_ascii_lowercase());
    }
    flag
}

/// Checks that every document is a Kubernetes object, without duplicates.
fn well_formed(manifests: &str) -> Result<()> {
    let mut seen = BTreeSet::new();
    for document in manifests.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document.trim_start_matches("---\n"))?;
        let of = |pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let name = [
            of("/apiVersion"),
            of("/kind"),
            of("/metadata/namespace"),
            of("/metadata/name"),
        ];
        let [version, kind, _, object] = &name;
        if version.is_empty() || kind.is_empty() || object.is_empty() {
            return Err(format!("no object of Kubernetes:\n{document}").into());
        }
        if !seen.insert(name.clone()) {
            return Err(format!("twice: {}", name.join(" ")).into());
        }
    }
    Ok(())
}

fn value_sets() -> Result<Vec<PathBuf>> {
    files(&root().join(CHART).join("ci"))
}

fn stale(expected: &[(PathBuf, String)]) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for (path, text) in expected {
        if !path.is_file() || read(path)? != *text {
            stale.push(shown(path));
        }
    }
    Ok(stale)
}

/// Returns the definitions of kinds that no longer exist.
fn superfluous(expected: &[(PathBuf, String)]) -> Result<Vec<String>> {
    let present = files(&root().join(CHART).join("files/crds"))?;
    Ok(present
        .iter()
        .filter(|path| !expected.iter().any(|(wanted, _)| wanted == *path))
        .map(|path| shown(path))
        .collect())
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Returns the files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}", shown(path));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This is tested here as well as in [`check`], because it does not need Helm.
    #[test]
    fn the_chart_has_the_definitions_as_they_are() {
        let expected = definitions().unwrap();
        assert!(!expected.is_empty(), "crds/ has no definitions");
        let mut stale = stale(&expected).unwrap();
        stale.extend(superfluous(&expected).unwrap());
        assert!(
            stale.is_empty(),
            "{stale:?} are stale: run `cargo xtask chart`"
        );
    }

    #[test]
    fn a_setting_stands_for_a_flag() {
        let settings = serde_json::json!({"fsxHosts": {"type": "object"}, "allowS3Files": {"type": "boolean"}});
        let schema = serde_json::json!({"properties": {"settings": {"properties": settings}}});
        assert_eq!(flag("allowS3Files", &schema), "allow-s3-files");
        assert_eq!(flag("fsxHosts", &schema), "fsx-host");
        assert_eq!(flag("iam", &schema), "iam");
    }

    #[test]
    fn manifests_for_people_without_helm_do_not_name_it() {
        let text = "---\n# Source: a.yaml\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n  labels:\n    \
                    helm.sh/chart: a-1\n    app.kubernetes.io/managed-by: Helm\n    a: b\n";
        assert_eq!(without_helm(text), "---\nmetadata:\n  labels:\n    a: b\n");
    }

    #[test]
    fn an_object_is_there_once() {
        let object = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a";
        assert!(well_formed(&format!("---\n{object}\n")).is_ok());
        let error = well_formed(&format!("---\n{object}\n---\n{object}\n")).unwrap_err();
        assert_eq!(error.to_string(), "twice: v1 Pod  a");
        assert!(well_formed("---\nkind: Pod\n").is_err());
    }
}
