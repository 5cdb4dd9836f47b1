//! Builds the program.

use std::{
    env::consts::{ARCH, EXE_SUFFIX},
    path::{Path, PathBuf},
    process::Command,
};

use ecs_operator_testbed::missing;

use crate::{
    Result, packages,
    run::{cargo, execute, output, root, target},
};

/// The maximum size of an image in bytes. It contains only this program, which has about 40 MB. Compiled for size it has
/// 29 MB, and takes a fifth longer for a conversion.
const LARGEST: u64 = 45_000_000;

/// How to compile the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As for a release, which takes minutes.
    Release,
    /// For a local cluster.
    Local,
}

/// Builds the program and returns its path.
///
/// If this machine can run real pods, it is built for musl and needs no libraries, so that it can be the only file of
/// an image.
///
/// # Errors
///
/// Returns an error if it does not compile or is too large for the image, or if one of its prerequisites cannot be
/// installed.
pub fn built(profile: Profile) -> Result<PathBuf> {
    let program = format!("ecs-operator{EXE_SUFFIX}");
    let profile_name = match profile {
        Profile::Release => "release",
        Profile::Local => "local",
    };
    let option = format!("--profile={profile_name}");
    let mut build = cargo(["build", &option, "--locked"]);
    if missing().root {
        execute(&mut build)?;
        return Ok(target().join(profile_name).join(program));
    }
    packages::install_missing()?;
    let triple = format!("{ARCH}-unknown-linux-musl");
    add_target(&triple)?;
    execute(build.args(["--target", &triple]))?;
    let program = target().join(&triple).join(profile_name).join(program);
    let size = program.metadata()?.len();
    if profile == Profile::Release && size > LARGEST {
        let name = program.display();
        return Err(format!("{name} has {size} bytes; at most {LARGEST} are allowed").into());
    }
    Ok(program)
}

/// Installs the standard library for a target, if it is missing.
fn add_target(triple: &str) -> Result<()> {
    let asked = ["--print=target-libdir", "--target", triple];
    let library = output(Command::new("rustc").args(asked).current_dir(root()))?;
    if Path::new(library.trim()).exists() {
        return Ok(());
    }
    execute(Command::new("rustup").args(["target", "add", triple]))
}
