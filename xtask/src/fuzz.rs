//! `cargo xtask fuzz`: runs every fuzz target for a short time.
//!
//! It does not use sanitizers, because there is no unsafe code, so the stable compiler can build it.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";
const DEFAULT_SECONDS: u32 = 20;

/// Runs the targets of `fuzz/`: all, or those named in `args`, each for `--seconds N`.
///
/// # Errors
///
/// Returns an error if a target finds something, or cannot be built.
pub fn run(args: &[String]) -> Result<()> {
    let mut seconds = DEFAULT_SECONDS;
    let mut chosen = Vec::new();
    let mut args = args.iter();
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = args.next().ok_or("--seconds needs a number")?;
                seconds = number.parse()?;
            }
            name => chosen.push(name.to_owned()),
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let targets = targets(&folder)?;
    if let Some(name) = chosen.iter().find(|name| !targets.contains(name)) {
        return Err(format!("no fuzz target {name}; there are: {}", targets.join(", ")).into());
    }
    if chosen.is_empty() {
        chosen = targets;
    }
    install()?;
    check(cargo_fuzz(&folder, "build"))?;
    for target in &chosen {
        println!("{target}: {}", fuzz(&folder, target, seconds)?);
    }
    Ok(())
}

/// Returns the names of the files in `fuzz_targets/`, sorted.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        targets.extend(
            path.file_stem()
                .and_then(|name| name.to_str())
                .map(str::to_owned),
        );
    }
    targets.sort();
    Ok(targets)
}

/// Installs cargo-fuzz if it is missing.
fn install() -> Result<String> {
    let known = Command::new(cargo())
        .args(["fuzz", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if known {
        return Ok(String::new());
    }
    check(command(["install", "--locked", CARGO_FUZZ]))
}

/// Fuzzes one target; returns its summary.
fn fuzz(folder: &Path, target: &str, seconds: u32) -> Result<String> {
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let mut command = cargo_fuzz(folder, "run");
    command.arg(target).arg(corpus).args(seeds(folder, target));
    command.args([
        "--",
        &format!("-max_total_time={seconds}"),
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=16384",
    ]);
    let dictionary = folder.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    check(command)
}

/// Returns inputs to start from, in addition to what earlier runs found.
fn seeds(folder: &Path, target: &str) -> Vec<PathBuf> {
    if matches!(target, "arn" | "event" | "placement") {
        return Vec::new();
    }
    ["../tests/cases", "../examples"]
        .iter()
        .map(|path| folder.join(path))
        .filter(|path| path.exists())
        .collect()
}

fn cargo_fuzz(folder: &Path, task: &str) -> Command {
    let mut command = command(["fuzz", task, "--sanitizer=none"]);
    command.arg("--fuzz-dir").arg(folder);
    command
}

fn command<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(cargo());
    command.args(args);
    command
}

fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs a command whose output matters only if it fails, and returns the last line of it.
fn check(mut command: Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(said.lines().last().unwrap_or_default().to_owned())
    } else {
        Err(format!("{said}\nfailed: {command:?}\n{}", cause(&said)).into())
    }
}

/// The panic in the output of a target, to print it once more at the end, where people look first.
fn cause(said: &str) -> String {
    let lines = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    lines.take(2).collect::<Vec<_>>().join("\n")
}
