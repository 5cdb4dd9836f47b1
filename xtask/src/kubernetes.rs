//! `cargo xtask test kubernetes`: the operator on the oldest and the newest version of Kubernetes that it supports, and
//! from one version to the next.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use ecs_operator_testbed::{GIVEN, find};

use crate::{
    Result, previous,
    run::{execute, target},
    test::tests,
};

/// The versions beside the one that all other tests run on.
const VERSIONS: &[&str] = &["1.33", "1.37"];

/// The programs of a control plane that are of that version.
const PROGRAMS: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// Runs the tests on a real control plane of each version, without nodes, and the upgrade of a cluster with tasks.
///
/// # Errors
///
/// When a program cannot be built, or a test fails.
pub fn run() -> Result<()> {
    let mut failed = Vec::new();
    for version in VERSIONS {
        eprintln!("Kubernetes {version}");
        let mut command = tests(["--test=control_plane"]);
        if let Err(error) = execute(command.env(GIVEN[0], programs(version)?)) {
            eprintln!("{error}");
            failed.push(*version);
        }
    }
    let mut command = tests([
        "--test=upgrade",
        "an_upgrade_of_kubernetes",
        "--",
        "--ignored",
    ]);
    if let Err(error) = execute(command.env("UPGRADE_FROM", previous::built()?)) {
        eprintln!("{error}");
        failed.push("1.35 and its upgrade");
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed on Kubernetes {}", failed.join(", ")).into())
    }
}

/// A folder with the programs of a version under their usual names.
fn programs(version: &str) -> Result<PathBuf> {
    let folder = target().join(format!("kubernetes-{version}"));
    fs::create_dir_all(&folder)?;
    for name in PROGRAMS {
        let link = folder.join(name);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(find(&format!("{name}-{version}"))?, &link)?;
    }
    Ok(folder)
}
