//! The programs of a cluster.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};

use crate::{binaries, process::Process, wait::until};

/// Set to anything, it leaves the folder of a cluster, with its logs, where it is.
pub(crate) const KEEP: &str = "ECS_OPERATOR_TESTBED_KEEP";

/// A folder for all that a cluster writes.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = tempfile::Builder::new()
        .prefix("ecs-operator-testbed-")
        .tempdir()
        .context("make a folder for the cluster")?;
    Ok(folder.keep())
}

/// Whether the folder of a cluster stays.
pub(crate) fn kept() -> bool {
    env::var_os(KEEP).is_some()
}

/// Where programs are.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Finds programs, or builds them.
    pub(crate) async fn find(names: &'static [&'static str]) -> Result<Self> {
        let find = |name: &&str| Ok(((*name).to_owned(), binaries::find(name)?));
        let found =
            tokio::task::spawn_blocking(move || names.iter().map(find).collect::<Result<_>>());
        Ok(Self(found.await??))
    }

    /// Finds one more, or builds it.
    pub(crate) async fn add(&mut self, name: &'static str) -> Result<()> {
        if !self.0.contains_key(name) {
            let path = tokio::task::spawn_blocking(move || binaries::find(name)).await??;
            self.0.insert(name.to_owned(), path);
        }
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        let path = self
            .0
            .get(name)
            .with_context(|| format!("{name} was not looked for"))?;
        Ok(path)
    }
}

/// Programs that run.
#[derive(Debug)]
pub(crate) struct Processes {
    folder: PathBuf,
    programs: Programs,
    /// A command that runs the command that its arguments are, somewhere else.
    wrapper: Vec<OsString>,
    list: Vec<Process>,
}

impl Processes {
    pub(crate) fn new(folder: &Path, programs: Programs) -> Self {
        Self {
            folder: folder.to_owned(),
            programs,
            wrapper: Vec::new(),
            list: Vec::new(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Runs everything from now on by way of a command.
    pub(crate) fn wrap(&mut self, wrapper: Vec<OsString>) {
        self.wrapper = wrapper;
    }

    pub(crate) fn start(&mut self, name: &str, args: &[String]) -> Result<()> {
        self.start_by(name, &[], args)
    }

    /// Starts a program by way of another command, `by`.
    pub(crate) fn start_by(&mut self, name: &str, by: &[&str], args: &[String]) -> Result<()> {
        self.start_as(name, name, by, args)
    }

    /// The same for a program that runs several times; `label` tells them apart.
    pub(crate) fn start_as(
        &mut self,
        label: &str,
        name: &str,
        by: &[&str],
        args: &[String],
    ) -> Result<()> {
        let mut line = self.wrapper.clone();
        line.extend(by.iter().map(OsString::from));
        line.push(self.programs.path(name)?.into());
        line.extend(args.iter().map(OsString::from));
        self.list.push(Process::start(label, &self.folder, &line)?);
        Ok(())
    }

    /// Ends the one that is called `label` and starts a program in its place, under the same label.
    pub(crate) async fn replace(
        &mut self,
        label: &str,
        name: &'static str,
        args: &[String],
    ) -> Result<()> {
        self.programs.add(name).await?;
        let place = self.list.iter().position(|it| it.name() == label);
        let place = place.with_context(|| format!("{label} does not run"))?;
        drop(self.list.remove(place));
        self.start_as(label, name, &[], args)?;
        // The order of the list is that of the end.
        if let Some(started) = self.list.pop() {
            self.list.insert(place, started);
        }
        Ok(())
    }

    /// Ends the one that was started last.
    pub(crate) fn stop_last(&mut self) {
        self.list.pop();
    }

    /// An error when one has ended, since none should.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.list.iter_mut().try_for_each(Process::check)
    }

    /// Waits for one to end.
    pub(crate) async fn failure(&mut self) -> anyhow::Error {
        let ended = until("a process to end", Duration::MAX, async || {
            self.check().map(|()| None::<()>)
        });
        let error = ended.await.err();
        error.unwrap_or_else(|| anyhow!("a process ended"))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // What depends on others goes first, so that the logs end without errors.
        while self.list.pop().is_some() {}
    }
}
