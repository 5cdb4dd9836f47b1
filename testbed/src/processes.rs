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

/// If this is set to any value, the folder of a cluster is kept, with its logs.
pub(crate) const KEEP: &str = "ECS_OPERATOR_TESTBED_KEEP";

/// Returns a folder for everything that a cluster writes.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = tempfile::Builder::new()
        .prefix("ecs-operator-testbed-")
        .tempdir()
        .context("make a folder for the cluster")?;
    Ok(folder.keep())
}

/// Whether the folder of a cluster is kept.
pub(crate) fn kept() -> bool {
    env::var_os(KEEP).is_some()
}

/// The locations of programs.
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

    /// Finds another program, or builds it.
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

/// Running programs.
#[derive(Debug)]
pub(crate) struct Processes {
    folder: PathBuf,
    programs: Programs,
    /// A command that runs its arguments as a command in another environment.
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

    /// Runs all later programs with a wrapper command.
    pub(crate) fn wrap(&mut self, wrapper: Vec<OsString>) {
        self.wrapper = wrapper;
    }

    pub(crate) fn start(&mut self, name: &str, args: &[String]) -> Result<()> {
        self.start_by(name, &[], args)
    }

    /// Starts a program with the wrapper command `by`.
    pub(crate) fn start_by(&mut self, name: &str, by: &[&str], args: &[String]) -> Result<()> {
        self.start_as(name, name, by, args)
    }

    /// Does the same for a program that runs several times; `label` distinguishes the instances.
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

    /// Stops the program with the label `label` and starts another one in its place, under the same label.
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
        // The programs end in the order of the list.
        if let Some(started) = self.list.pop() {
            self.list.insert(place, started);
        }
        Ok(())
    }

    /// Stops the program that was started last.
    pub(crate) fn stop_last(&mut self) {
        self.list.pop();
    }

    /// Returns an error if a program has exited, since none should.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.list.iter_mut().try_for_each(Process::check)
    }

    /// Waits for a program to exit.
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
        // Programs that depend on others end first, so that the logs end without errors.
        while self.list.pop().is_some() {}
    }
}
