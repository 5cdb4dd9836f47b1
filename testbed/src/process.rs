//! Processes that cannot outlive this one.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

/// Starts its arguments as a process and kills it when its own standard input ends, so also when this process is killed
/// and no destructor runs. It ends with the status of that process.
const GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -KILL $child; } 2>/dev/null &
watch=$!
exec 3<&-
wait $child; status=$?
{ kill -KILL $watch; wait $watch; } 2>/dev/null
exit $status
"#;

/// Removes a folder when its standard input ends. Processes that are about to be killed may still write to it, hence
/// the repetition, which ends.
const JANITOR: &str = r#"
read -r _
n=0
until rm -rf "$1" 2>/dev/null || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.1; done
"#;

/// A process that ends when this value is dropped, or when the process that holds it ends in any way.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    shell: Child,
    /// Only this process holds the other end of the pipe: it is closed on exec, so no sibling inherits it.
    alive: Option<ChildStdin>,
}

impl Process {
    /// Starts `program`; what it prints goes to `<logs>/<name>.log`.
    pub fn start<I>(name: &str, logs: &Path, program: &Path, args: I) -> Result<Self>
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut line = vec![program.as_os_str().to_owned()];
        line.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        Self::shell(name, logs, GUARD, line)
    }

    /// Removes `folder` when the value is dropped or this process ends.
    pub(crate) fn janitor(logs: &Path, folder: &Path) -> Result<Self> {
        Self::shell(
            "janitor",
            logs,
            JANITOR,
            vec![folder.as_os_str().to_owned()],
        )
    }

    fn shell(name: &str, logs: &Path, script: &str, args: Vec<OsString>) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut shell = Command::new("sh")
            .args(["-c", script, name])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(out.try_clone().context("share the log")?)
            .stderr(out)
            // Ctrl-C in a terminal goes to the whole group; the order of the end is ours.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let alive = shell.stdin.take();
        Ok(Self {
            name: name.to_owned(),
            log,
            shell,
            alive,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.shell
            .try_wait()
            .with_context(|| format!("ask after {}", self.name))
    }

    /// The end of what it printed, which tells why it failed.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.len().saturating_sub(20);
        lines.get(start..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.alive.take());
        // Nothing can be done about a shell that cannot be waited for.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeping(folder: &Path) -> Process {
        Process::start("sleep", folder, Path::new("sleep"), ["1000"]).unwrap()
    }

    /// Processes that have `folder` in their arguments.
    fn mentioning(word: &str) -> usize {
        let processes = fs::read_dir("/proc").unwrap();
        processes
            .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
            .filter(|line| String::from_utf8_lossy(line).contains(word))
            .count()
    }

    #[test]
    fn a_process_ends_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(
            "tail",
            folder.path(),
            Path::new("tail"),
            [OsStr::new("-f"), folder.path().join("tail.log").as_os_str()],
        )
        .unwrap();
        let word = folder.path().to_str().unwrap().to_owned();
        assert!(process.ended().unwrap().is_none());
        // The shell, its watching half and the program.
        while mentioning(&word) < 3 {
            std::thread::yield_now();
        }
        drop(process);
        assert_eq!(mentioning(&word), 0);
    }

    #[test]
    fn the_end_of_a_process_is_seen_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(
            "words",
            folder.path(),
            Path::new("sh"),
            ["-c", "echo no luck; exit 3"],
        )
        .unwrap();
        let status = process.shell.wait().unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(process.ended().unwrap().unwrap().code(), Some(3));
        assert_eq!(process.last_words(), "no luck");
    }

    #[test]
    fn the_janitor_removes_the_folder() {
        let logs = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap().keep();
        let janitor = Process::janitor(logs.path(), &folder).unwrap();
        let other = sleeping(logs.path());
        assert!(folder.exists());
        drop(janitor);
        assert!(!folder.exists());
        drop(other);
    }
}
