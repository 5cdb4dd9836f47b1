//! Installs the packages that a node with real pods requires.

use std::process::Command;

use ecs_operator_testbed::missing;

use crate::{Result, run::execute};

/// Installs missing packages, if possible: as root, on a system with apt.
///
/// They are for the node itself, and for building the program in the operator's image.
///
/// # Errors
///
/// Returns an error if they cannot be installed; the error contains the command for it.
pub fn install_missing() -> Result<()> {
    let mut missing = missing();
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        missing.packages.push("musl-tools");
    }
    if missing.packages.is_empty() {
        return Ok(());
    }
    let packages = missing.packages.join(" ");
    let apt = Command::new("apt-get").arg("--version").output().is_ok();
    if missing.root || !apt {
        return Err(format!(
            "install first: {packages} (on Debian: sudo apt-get install --yes {packages})"
        )
        .into());
    }
    execute(Command::new("apt-get").args(["update", "--quiet"]))?;
    execute(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(&missing.packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
