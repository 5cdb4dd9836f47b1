//! What a machine needs for a real node.

use std::{env, fs, process::Command};

use anyhow::{Result, bail};

use crate::binaries;

/// The requirements of a real node that this machine does not meet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Missing {
    /// Whether root is missing, which namespaces, mounts and control groups require.
    pub root: bool,
    /// The missing packages of Debian and Ubuntu.
    pub packages: Vec<&'static str>,
}

/// Checks the requirements of a real node.
pub fn missing() -> Missing {
    let mut commands = vec![
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("mount", "mount"),
        ("ip", "iproute2"),
        ("nft", "nftables"),
    ];
    // All other programs are built without a C compiler.
    let builds = !binaries::is_there("runc");
    if builds {
        commands.extend([("cc", "gcc"), ("pkg-config", "pkg-config")]);
    }
    let mut packages: Vec<&str> = commands
        .into_iter()
        .filter(|(command, _)| !is_command(command))
        .map(|(_, package)| package)
        .collect();
    if builds && !has_seccomp() {
        packages.push("libseccomp-dev");
    }
    packages.dedup();
    Missing {
        root: !is_root(),
        packages,
    }
}

fn has_seccomp() -> bool {
    let asked = Command::new("pkg-config")
        .args(["--exists", "libseccomp"])
        .status();
    asked.is_ok_and(|status| status.success())
}

fn is_command(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

/// Returns an error that says what the machine lacks for a real node.
pub(crate) fn require() -> Result<()> {
    let missing = missing();
    let install = format!("apt-get install -y {}", missing.packages.join(" "));
    match (missing.root, missing.packages.is_empty()) {
        (false, true) => Ok(()),
        (true, true) => bail!("a real node needs root"),
        (false, false) => bail!("a real node needs programs that are not there: {install}"),
        (true, false) => {
            bail!("a real node needs root, and programs that are not there: {install}")
        }
    }
}
