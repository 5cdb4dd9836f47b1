//! A registry that images can be pushed to, distribution (<https://github.com/distribution/distribution>). It keeps them in
//! memory.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{binaries::find, process::Process, wait::until};

/// How long it may take to start on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// A running registry, without TLS.
#[derive(Debug)]
pub struct ImageRegistry {
    /// Its name in names of images.
    pub name: String,
    _process: Process,
}

impl ImageRegistry {
    /// Starts it in a folder that only it uses.
    pub async fn start(folder: &Path) -> Result<Self> {
        let program = tokio::task::spawn_blocking(|| find("registry")).await??;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let file = folder.join("port");
        let line = [program.into(), "-port-file".into(), file.clone().into()];
        let process = Process::start("registry", folder, &line)?;
        let port = until("the registry", LIMIT, async || {
            Ok(fs::read_to_string(&file).ok())
        });
        let port = port.await.with_context(|| process.last_words())?;
        Ok(Self {
            name: format!("127.0.0.1:{port}"),
            _process: process,
        })
    }
}
