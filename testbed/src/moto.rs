//! An emulator of AWS, moto (<https://docs.getmoto.org/>), in an environment of Python that is made the first time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    binaries::{cache, digest_of, say},
    process::Process,
    wait::until,
};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/modules/moto");

/// How long it may take to start on a busy machine.
const LIMIT: std::time::Duration = std::time::Duration::from_mins(2);

/// A running emulator of AWS. It takes any signature.
#[derive(Debug)]
pub struct Moto {
    /// Its URL, with `https`.
    pub url: String,
    _process: Process,
}

impl Moto {
    /// Starts it with a certificate, in a folder that only it uses.
    pub async fn start(folder: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        let python = tokio::task::spawn_blocking(moto_python).await??;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let script = Path::new(MODULE).join("serve.py");
        let line = [&python, &script, folder, certificate, key].map(|it: &Path| it.into());
        let process = Process::start("moto", folder, &line)?;
        let port = until("moto", LIMIT, async || {
            Ok(fs::read_to_string(folder.join("port")).ok())
        });
        let port = port.await.with_context(|| process.last_words())?;
        Ok(Self {
            url: format!("https://127.0.0.1:{port}"),
            _process: process,
        })
    }
}

/// Returns the Python of an environment with moto, which is made the first time: it blocks for a minute then.
///
/// # Errors
///
/// When there is no Python, or the packages cannot be installed.
pub fn moto_python() -> Result<PathBuf> {
    let module = Path::new(MODULE);
    let folder = cache()?.join(format!("moto-{}", digest_of(module)?));
    let (python, installed) = (folder.join("bin/python"), folder.join("installed"));
    if installed.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    // Test binaries run concurrently and would all install it.
    let lock = File::create(cache()?.join("moto.lock")).context("create the lock of moto")?;
    lock.lock().context("lock moto")?;
    if !installed.exists() {
        say("installing moto, which takes about a minute the first time");
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let requirements = module.join("requirements.txt");
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--requirement",
        ];
        run(Command::new(&python).args(pip).arg(requirements))?;
        // An interrupted installation begins again.
        fs::write(&installed, "").context("record the installation")?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("start {command:?}: moto needs Python 3.10 or newer"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
