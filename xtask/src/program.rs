//! The program as it is released.

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

/// What an image may weigh at most, in bytes. It has this program and nothing else.
const LARGEST: u64 = 30_000_000;

/// Builds the program and tells where it is.
///
/// Where real pods can be run it is for musl, and so has no need of libraries: it can be the only file of an image.
///
/// # Errors
///
/// When it does not compile, is too large for the image, or what it takes cannot be installed.
pub fn released() -> Result<PathBuf> {
    let program = format!("ecs-operator{EXE_SUFFIX}");
    if missing().root {
        execute(&mut cargo(["build", "--release", "--locked"]))?;
        return Ok(target().join("release").join(program));
    }
    packages::install_missing()?;
    let triple = format!("{ARCH}-unknown-linux-musl");
    add_target(&triple)?;
    execute(cargo(["build", "--release", "--locked", "--target"]).arg(&triple))?;
    let program = target().join(&triple).join("release").join(program);
    let size = program.metadata()?.len();
    if size > LARGEST {
        return Err(format!("{} has {size} bytes, of {LARGEST}", program.display()).into());
    }
    Ok(program)
}

/// Installs the standard library for a target, if it is not there.
fn add_target(triple: &str) -> Result<()> {
    let asked = ["--print=target-libdir", "--target", triple];
    let library = output(Command::new("rustc").args(asked).current_dir(root()))?;
    if Path::new(library.trim()).exists() {
        return Ok(());
    }
    execute(Command::new("rustup").args(["target", "add", triple]))
}
