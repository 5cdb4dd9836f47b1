//! Shared functions of the tasks: the root of the repository, and commands that run there.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Result;

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap_or(folder).to_path_buf()
}

/// Returns the folder for build output.
pub fn target() -> PathBuf {
    root().join(env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned()))
}

/// Returns `cargo` with these arguments, in the root.
///
/// The command does not inherit the variables about this package that cargo sets: a build script that reads such a
/// variable would run again, and everything that depends on it would be built again, whenever cargo is called in
/// another way.
pub fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(args).current_dir(root());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Prints the command and runs it.
///
/// # Errors
///
/// Returns an error if it cannot be started or its status is not 0.
pub fn execute(command: &mut Command) -> Result<()> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    let words = words.join(" ");
    eprintln!("$ {words}");
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{words}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{words}` failed: {status}").into())
    }
}

/// Runs the command and returns what it prints.
///
/// # Errors
///
/// Returns an error if it cannot be started or its status is not 0; the error contains its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?} failed: {said}").into())
    }
}
