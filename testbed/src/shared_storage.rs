//! File systems that the pods of all nodes share by NFS.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    node::{Node, WITH},
    node_files::{FILE_SYSTEMS, FIRST, Files, SECOND},
    processes::Processes,
    sandbox::{ADDRESS, Sandbox},
};

/// The address of the NFS server, as volumes name it.
pub const NFS_SERVER: &str = ADDRESS;

/// Starts the NFS server, and the CSI driver of each node.
pub(crate) fn start(
    processes: &mut Processes,
    server: &[String],
    second: Option<&str>,
) -> Result<()> {
    processes.start_as("nfs-server", "nfs", &[], server)?;
    let driver = Files::csi_driver_args(FIRST);
    processes.start_as("csi-driver", "nfs", &[], &driver)?;
    if let Some(folder) = second {
        let by = ["sh", "-c", WITH, "with", folder];
        let driver = Files::csi_driver_args(SECOND);
        processes.start_as("csi-driver-2", "nfs", &by, &driver)?;
    }
    Ok(())
}

impl Node {
    /// Creates the file system with this EFS ID, such as `fs-0123456789abcdef0`, unless it exists; returns its folder on
    /// the NFS server. Pods mount it as an EFS volume, or by NFS from [`NFS_SERVER`] at the path `/<ID>`.
    pub fn file_system(&self, id: &str) -> Result<PathBuf> {
        let folder = self.folder().join(FILE_SYSTEMS).join(id);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Ok(folder)
    }

    /// Stops the kubelet of the second node until the result is dropped. Its containers and mounts go on, as on a node
    /// that has lost its connection to the control plane.
    pub fn silence_second(&self) -> Result<Silence<'_>> {
        let silence = Silence(self.sandbox());
        silence.signal("STOP")?;
        Ok(silence)
    }
}

/// A second node whose kubelet is stopped.
#[derive(Debug)]
pub struct Silence<'a>(&'a Sandbox);

impl Silence<'_> {
    fn signal(&self, signal: &str) -> Result<()> {
        let kubelet = format!("--hostname-override={}", SECOND.name);
        let mut line = self.0.enter();
        // Only processes of the sandbox are visible there.
        line.extend(["pkill", &format!("-{signal}"), "-f", "--", &kubelet].map(Into::into));
        let status = Command::new("env").args(line).status();
        let sent = status.context("start nsenter")?.success();
        ensure!(sent, "there is no second node");
        Ok(())
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // If the node has ended, nothing has to go on.
        let _ = self.signal("CONT");
    }
}
