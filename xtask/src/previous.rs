//! The operator of an older commit, which the upgrade tests start with.

use std::{
    env::consts::EXE_SUFFIX,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    run::{cargo, execute, output, root, target},
};

/// The file that contains the commit. A release moves it to the commit of the previous release.
const COMMIT: &str = "tests/upgrade/previous";

/// Builds the operator of the older commit, unless it is already built, and returns the folder with its files, which
/// also contains the program.
///
/// # Errors
///
/// Returns an error if the commit is not in the history, or it does not compile.
pub fn built() -> Result<PathBuf> {
    let commit = fs::read_to_string(root().join(COMMIT))?;
    let commit = commit.trim_end();
    let all = target().join("previous");
    let folder = all.join(commit);
    let name = format!("ecs-operator{EXE_SUFFIX}");
    let program = folder.join(&name);
    if program.exists() {
        return Ok(folder);
    }
    unpack(commit, &folder)?;
    let built = all.join("build");
    execute(
        cargo([
            "build",
            "--locked",
            // It is built once and runs for minutes, so the duration of the build matters.
            "--config=profile.dev.debug=false",
            "--config=profile.dev.package.\"*\".opt-level=0",
            "--bin=ecs-operator",
        ])
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&built),
    )?;
    // This is the last step, so that an interrupted build continues; nothing else of it is needed.
    fs::rename(built.join("debug").join(&name), &program)?;
    fs::remove_dir_all(built)?;
    Ok(folder)
}

/// Writes the files of a commit to a folder.
fn unpack(commit: &str, folder: &Path) -> Result<()> {
    let is_there = Command::new("git")
        .args(["cat-file", "-e", &format!("{commit}^{{commit}}")])
        .current_dir(root())
        .stderr(Stdio::null())
        .status()?;
    if !is_there.success() {
        return Err(format!(
            "the history here has no commit {commit}, which {COMMIT} names: get all of it with `git fetch --unshallow`"
        )
        .into());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let archive = folder.with_extension("tar");
    let mut command = Command::new("git");
    command
        .args(["archive", "--output"])
        .arg(&archive)
        .arg(commit);
    output(command.current_dir(root()))?;
    output(
        Command::new("tar")
            .args(["-xf"])
            .arg(&archive)
            .arg("-C")
            .arg(folder),
    )?;
    fs::remove_file(archive)?;
    Ok(())
}
