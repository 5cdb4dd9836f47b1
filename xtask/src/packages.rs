//! What a node with real pods needs of the machine.

use std::process::Command;

use ecs_operator_testbed::missing;

use crate::{Result, run::execute};

/// Installs the packages that are missing, where that is possible: as root, on a system with apt.
///
/// They are for the node itself, and for building the program of which the operator's image is made.
///
/// # Errors
///
/// When they cannot be installed; the error has the command that does it.
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
