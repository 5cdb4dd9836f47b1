//! `cargo xtask model`: writes the field table and the request shapes.
//!
//! `src/fields/aws.tsv` has what the AWS API models say about each field, `src/fields/rows` what becomes of it. From
//! both together come `src/fields/table` and `src/ecs`, so that a field is written down once.

mod aws;
mod member;
mod shapes;
mod table;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{Result, run::root};

const AWS: &str = "src/fields/aws.tsv";
const ROWS: &str = "src/fields/rows";
const SHAPES: &str = "src/ecs";

/// A request, the file of its rows, its description, and its variant of `Api`.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    (
        "RegisterTaskDefinition",
        "task_definition",
        "`RegisterTaskDefinition`",
        "TaskDefinition",
    ),
    (
        "CreateService",
        "service",
        "`CreateService` and `UpdateService`",
        "Service",
    ),
    ("RunTask", "task", "`RunTask`", "Task"),
    ("CreateCluster", "cluster", "`CreateCluster`", "Cluster"),
    (
        "CreateCapacityProvider",
        "capacity_provider",
        "`CreateCapacityProvider`",
        "CapacityProvider",
    ),
    (
        "RegisterScalableTarget",
        "scalable_target",
        "`RegisterScalableTarget`",
        "ScalableTarget",
    ),
    (
        "PutScalingPolicy",
        "scaling_policy",
        "`PutScalingPolicy`",
        "ScalingPolicy",
    ),
    (
        "PutScheduledAction",
        "scheduled_action",
        "`PutScheduledAction`",
        "ScheduledAction",
    ),
    (
        "PutMetricAlarm",
        "metric_alarm",
        "`PutMetricAlarm` of CloudWatch",
        "MetricAlarm",
    ),
    (
        "CreateSchedule",
        "schedule",
        "`CreateSchedule` of EventBridge Scheduler",
        "Schedule",
    ),
    (
        "CreateAppRunnerService",
        "app_runner_service",
        "`CreateService` of App Runner",
        "AppRunnerService",
    ),
    (
        "CreateAutoScalingConfiguration",
        "auto_scaling_configuration",
        "`CreateAutoScalingConfiguration` of App Runner",
        "AutoScalingConfiguration",
    ),
    (
        "PutRule",
        "rule",
        "`PutRule` and `PutTargets` of EventBridge",
        "Rule",
    ),
    (
        "CreatePipe",
        "pipe",
        "`CreatePipe` of EventBridge Pipes",
        "Pipe",
    ),
    (
        shapes::KUBERNETES,
        "kubernetes",
        "`spec.kubernetes` of an EcsService, of which `pod` is also for an EcsTaskDefinition and an EcsTask",
        "Kubernetes",
    ),
];

/// Writes `src/fields/table` and `src/ecs`; given botocore's models, also `src/fields/aws.tsv`.
///
/// # Errors
///
/// Returns an error if a model or a row cannot be read, or if a member has no row.
pub fn run(args: &[String]) -> Result<()> {
    match args {
        [] => {}
        [folder, version] => fs::write(root().join(AWS), aws::lines(folder, version)?)?,
        _ => {
            return Err(
                "usage: cargo xtask model [PATH VERSION], such as site-packages/botocore/data 1.44.5"
                    .into(),
            );
        }
    }
    let files = generated()?;
    for entry in fs::read_dir(root().join(SHAPES))? {
        let path = entry?.path();
        if !files.contains_key(&path) {
            fs::remove_file(path)?;
        }
    }
    for (path, text) in files {
        // A file that is written again would be compiled again.
        if fs::read_to_string(&path).is_ok_and(|now| now == text) {
            continue;
        }
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Returns the generated files.
fn generated() -> Result<BTreeMap<PathBuf, String>> {
    let aws = fs::read_to_string(root().join(AWS))?;
    let model = member::read(&aws, &root().join(ROWS))?;
    let mut files = BTreeMap::new();
    let table = root().join("src/fields/table");
    for request in &model.requests {
        let (_, file, what, _) = of(&request.name)?;
        let path = table.join(file).with_extension("rs");
        files.insert(path, formatted(&table::rows(request, what)?)?);
    }
    let variant = |operation: &str| of(operation).map_or("", |(_, _, _, variant)| variant);
    let examples = table::examples(&model.examples, variant)?;
    files.insert(table.join("example.rs"), formatted(&examples)?);
    for request in &model.requests {
        if request.name == shapes::KUBERNETES {
            let source = formatted(&shapes::kubernetes(request)?)?;
            files.insert(root().join("src/crd/kubernetes.rs"), source);
        }
    }
    for (name, text) in shapes::files(&model.requests)? {
        files.insert(root().join(SHAPES).join(name), formatted(&text)?);
    }
    Ok(files)
}

fn of(operation: &str) -> Result<(&'static str, &'static str, &'static str, &'static str)> {
    let mut requests = REQUESTS.iter().copied();
    let found = requests.find(|(name, ..)| *name == operation);
    Ok(found.ok_or_else(|| format!("there is no request {operation}"))?)
}

/// Returns the source as rustfmt writes it.
fn formatted(source: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        std::io::Write::write_all(&mut input, source.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("rustfmt does not accept the generated source".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_files_are_up_to_date() {
        for (path, text) in generated().expect("the model can be read") {
            let now = fs::read_to_string(&path).unwrap_or_default();
            assert!(now == text, "{}: run cargo xtask model", path.display());
        }
    }
}
