//! Processes that end with this process.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::processes;

/// Starts its arguments as a process and kills it when its own standard input is closed. That also happens when this
/// process is killed and no destructor runs. It exits with the status of that process.
const GUARD: &str = r#"
exec 3<&0 </dev/null
ulimit -n "$(ulimit -Hn)"
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -KILL $child; } 2>/dev/null &
watch=$!
exec 3<&-
wait $child; status=$?
{ kill -KILL $watch; wait $watch; } 2>/dev/null
exit $status
"#;

/// Removes a folder and control groups when its standard input is closed. First it waits until no process names the
/// folder any more: a program that is about to be killed can create its part of a removed folder again. Its own
/// arguments do not name the folder. It gives up after a limited time.
const JANITOR: &str = r#"
read -r _
clean() {
  if [ $n -lt 100 ] && pgrep -f -- "$FOLDER" >/dev/null; then return 1; fi
  if [ -n "$1" ]; then
    left=
    for group in "/sys/fs/cgroup/$1" "/sys/fs/cgroup"/*/"$1"; do
      [ -d "$group" ] || continue
      find "$group" -depth -type d -exec rmdir {} + || left=yes
    done
    [ -z "$left" ] || return 1
  fi
  [ -n "$2" ] || rm -rf "$FOLDER"
}
n=0
until clean "$1" "$2" 2>/dev/null || [ $n -ge 200 ]; do n=$((n + 1)); sleep 0.1; done
"#;

/// A process that ends when this value is dropped, or when the process that created it ends in any way.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    shell: Child,
    /// Only this process has the other end of the pipe: it is closed on exec, so no sibling inherits it.
    alive: Option<ChildStdin>,
}

impl Process {
    /// Starts a command line; its output goes to `<logs>/<name>.log`.
    pub fn start(name: &str, logs: &Path, line: &[OsString]) -> Result<Self> {
        Self::shell(name, logs, GUARD, line, &[])
    }

    /// Removes the folder of a cluster, and its control groups, when the value is dropped or this process ends; removes
    /// nothing if the folder is to be kept.
    pub(crate) fn janitor(folder: &Path, cgroup: Option<&str>) -> Result<Option<Self>> {
        if processes::kept() && cgroup.is_none() {
            return Ok(None);
        }
        let kept = if processes::kept() { "kept" } else { "" };
        let args = [cgroup.unwrap_or_default(), kept].map(OsString::from);
        let variables = [("FOLDER", folder)];
        Self::shell("janitor", folder, JANITOR, &args, &variables).map(Some)
    }

    fn shell(
        name: &str,
        logs: &Path,
        script: &str,
        args: &[OsString],
        variables: &[(&str, &Path)],
    ) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut shell = Command::new("sh")
            .args(["-c", script, name])
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(out.try_clone().context("share the log")?)
            .stderr(out)
            // Ctrl-C in a terminal signals the whole group; this program determines the order in which processes end.
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

    /// Returns the name in messages and logs.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns how it exited, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.shell
            .try_wait()
            .with_context(|| format!("ask after {}", self.name))
    }

    /// Returns an error if it has exited unexpectedly.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} ended ({status}):\n{}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Returns the process ID of the shell that guards it.
    pub(crate) fn id(&self) -> u32 {
        self.shell.id()
    }

    /// Returns the ID of the process itself, for reading its memory and its time; only Linux reports it.
    pub fn program(&self) -> Option<u32> {
        let image = |id: u32| fs::read_link(format!("/proc/{id}/exe")).ok();
        // The other child of the shell is a copy of the shell.
        let shell = image(self.shell.id())?;
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| parent(*id) == Some(self.shell.id()))
            .find(|id| image(*id).is_some_and(|program| program != shell))
    }

    /// Sends the process a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let shell = self.shell.id().to_string();
        let sent = Command::new("pkill")
            .args([&format!("-{signal}"), "-P", &shell])
            .status();
        anyhow::ensure!(sent.context("pkill")?.success(), "{} has ended", self.name);
        Ok(())
    }

    /// Terminates the process (SIGTERM), as the kubelet does, and waits until it exits; kills it after `limit`.
    pub fn terminate(mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if begun.elapsed() > limit {
                bail!("{} does not end:\n{}", self.name, self.last_words());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the end of its output, which contains the reason of a failure.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.len().saturating_sub(20);
        lines.get(start..).unwrap_or_default().join("\n")
    }
}

/// Returns the parent of a process (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
fn parent(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name may contain spaces and parentheses.
    let (_, after_name) = status.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.alive.take());
        // There is no remedy if waiting for the shell fails.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(name: &str, folder: &Path, line: &[&str]) -> Process {
        let line: Vec<OsString> = line.iter().map(OsString::from).collect();
        Process::start(name, folder, &line).unwrap()
    }

    /// Returns the number of processes that have `folder` in their arguments.
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
        let log = folder.path().join("tail.log");
        let mut process = start(
            "tail",
            folder.path(),
            &["tail", "-f", log.to_str().unwrap()],
        );
        let word = folder.path().to_str().unwrap().to_owned();
        assert!(process.ended().unwrap().is_none());
        // The three processes are the shell, its watching half and the program.
        while mentioning(&word) < 3 {
            std::thread::yield_now();
        }
        drop(process);
        assert_eq!(mentioning(&word), 0);
    }

    #[test]
    fn the_program_is_told_from_the_shell_that_guards_it() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("tail", folder.path(), &["tail", "-f", "/dev/null"]);
        let line = loop {
            if let Some(program) = process.program() {
                let line = fs::read_to_string(format!("/proc/{program}/cmdline")).unwrap();
                // While a program replaces another one, it has no arguments.
                if !line.is_empty() {
                    break line;
                }
            }
            std::thread::yield_now();
        };
        assert!(
            line.contains("/dev/null") && !line.contains("exec 3"),
            "{line}"
        );
    }

    #[test]
    fn the_end_of_a_process_is_seen_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = start(
            "words",
            folder.path(),
            &["sh", "-c", "echo no luck; exit 3"],
        );
        let status = process.shell.wait().unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(process.ended().unwrap().unwrap().code(), Some(3));
        assert_eq!(process.last_words(), "no luck");
    }

    #[test]
    fn the_janitor_removes_the_folder() {
        let folder = tempfile::tempdir().unwrap().keep();
        let janitor = Process::janitor(&folder, None).unwrap().unwrap();
        assert!(folder.exists());
        drop(janitor);
        assert!(!folder.exists());
    }

    #[test]
    fn the_janitor_waits_for_processes_that_create_the_folder_again() {
        let logs = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap().keep();
        let script = r#"while :; do mkdir -p "$0/again"; done"#;
        let line = ["sh", "-c", script, folder.to_str().unwrap()];
        let program = start("program", logs.path(), &line);
        let janitor = Process::janitor(&folder, None).unwrap().unwrap();
        let janitor = thread::spawn(move || drop(janitor));
        // A janitor that does not wait would have ended by then.
        thread::sleep(Duration::from_secs(1));
        assert!(!janitor.is_finished());
        drop(program);
        janitor.join().unwrap();
        assert!(!folder.exists());
    }
}
