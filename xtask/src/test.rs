//! `cargo xtask test`: runs all checks that a change has to pass.

use std::{
    env::consts::EXE_SUFFIX,
    process::{Command, Stdio},
    thread::available_parallelism,
    time::Instant,
};

use ecs_operator_testbed::missing;

use crate::{
    Result, chart, faults, fuzz, kubernetes, layouts, logs, packages, previous,
    program::{Profile, built},
    run::{cargo, execute, root, target},
    up,
};

/// A part of the checks: its name and its function.
type Part = (&'static str, fn() -> Result<()>);

/// Parts that find errors soonest come first.
const PARTS: &[Part] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("build", build),
    ("test", test),
    ("examples", examples),
    ("chart", chart::check),
    ("layouts", layouts::check),
    ("testbed", testbed),
    ("control-plane", control_plane),
    ("upgrade", upgrade),
    ("faults", some_faults),
    ("e2e", e2e),
    ("up", up_once),
];

/// Parts that take long and seldom fail, or need a program that has to be built or installed first: they run only by
/// name.
const LONG: &[Part] = &[
    ("deny", deny),
    ("explore", explore),
    ("fuzz", fuzz_shortly),
    ("karpenter", karpenter),
    ("kubernetes", kubernetes::run),
    ("logs", logs::run),
    ("metrics", metrics),
    ("release", release),
];

const CARGO_DENY: &str = "0.20.2";
const FUZZ_SECONDS: &str = "5";
/// How many of the faults are injected: this takes some minutes.
const FAULTS: &str = "40";

/// Runs the parts that `args` name, or all; a failing part does not stop the others.
///
/// # Errors
///
/// Returns an error if a part fails or does not exist.
pub fn run(args: &[String]) -> Result<()> {
    let parts = || PARTS.iter().chain(LONG);
    let names: Vec<&str> = parts().map(|(name, _)| *name).collect();
    if let Some(unknown) = args.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("no part {unknown}; there are: {}", names.join(", ")).into());
    }
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    let is_long = |name: &str| LONG.iter().any(|(long, _)| *long == name);
    for (name, part) in parts() {
        let chosen = args.iter().any(|chosen| chosen == name);
        if !chosen && (!args.is_empty() || is_long(name)) {
            continue;
        }
        eprintln!("== {name}");
        let start = Instant::now();
        let result = part();
        let seconds = start.elapsed().as_secs_f64();
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        summary.push(format!("{name:13} {outcome:7} {seconds:6.1} s"));
        if let Err(error) = result {
            eprintln!("{error}");
            failed.push(*name);
        }
    }
    eprintln!("==\n{}", summary.join("\n"));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

fn fmt() -> Result<()> {
    execute(&mut cargo(["fmt", "--all", "--check"]))?;
    execute(&mut cargo([
        "fmt",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--check",
    ]))
}

fn clippy() -> Result<()> {
    execute(&mut cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn build() -> Result<()> {
    built(Profile::Local).map(drop)
}

/// Builds the program for a release, and checks that it is small enough for its image.
fn release() -> Result<()> {
    built(Profile::Release).map(drop)
}

/// Returns a command for tests of the whole workspace, which `targets` select.
///
/// All parts build the same packages with the same features, because other ones compile each dependency once more.
pub fn tests<const N: usize>(targets: [&str; N]) -> Command {
    let mut command = cargo([
        "test",
        "--workspace",
        "--features=cluster-tests",
        "--locked",
    ]);
    command.args(targets);
    command
}

fn test() -> Result<()> {
    execute(&mut tests([
        "--lib",
        "--bins",
        "--test=it",
        "--test=memory",
    ]))?;
    execute(&mut tests(["--doc"]))?;
    execute(cargo(["doc", "--no-deps", "--locked", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Explores every possible deployment in a model of the world, with more faults than the unit tests, and every fault of
/// every request to an API server in memory, of which they have a sample.
fn explore() -> Result<()> {
    execute(&mut cargo([
        "test",
        "--lib",
        "--release",
        "--locked",
        "every_",
        "--",
        "--ignored",
    ]))
}

/// Tests the test bed itself: a control plane, and if this user has the permissions, a node with real pods.
fn testbed() -> Result<()> {
    let mut command = tests(["--test=clusters"]);
    if missing().root {
        eprintln!("without root there is no node with real pods: only the control plane is tested");
    } else {
        packages::install_missing()?;
        command.arg("--test=node");
    }
    execute(&mut command)
}

/// Tests the operator against a real API server.
fn control_plane() -> Result<()> {
    // They wait more than they compute, some of them for minutes: more of them than cores where these are few.
    let threads = available_parallelism()?.get().max(6);
    let mut command = tests(["--test=control_plane", "--"]);
    execute(command.arg(format!("--test-threads={threads}")))
}

/// Tests capacity providers with a real Karpenter.
fn karpenter() -> Result<()> {
    execute(&mut tests([
        "--test=control_plane",
        "karpenter_makes_the_nodes",
        "--",
        "--ignored",
    ]))
}

/// Tests scaling by metrics of other programs.
fn metrics() -> Result<()> {
    execute(&mut tests([
        "--test=control_plane",
        "--",
        "--ignored",
        "cloud_watch::",
        "prometheus::",
    ]))
}

/// Tests running tasks while the operator, which begins as that of an older commit, and add-ons are replaced.
fn upgrade() -> Result<()> {
    let folder = previous::built()?;
    let mut command = tests([
        "--test=upgrade",
        "--",
        // Each has its own control plane and two dozen services.
        "--test-threads=1",
    ]);
    execute(command.env("UPGRADE_FROM", folder))
}

/// Tests the operator with injected faults, always the same sample, and the code that compares results.
fn some_faults() -> Result<()> {
    execute(&mut tests(["--test=faults"]))?;
    faults::run(&["--sample".to_owned(), FAULTS.to_owned()])
}

/// Tests the operator with real pods, which requires root.
fn e2e() -> Result<()> {
    let program = built(Profile::Local)?;
    let mut command = tests(["--test=e2e", "--test=storage"]);
    execute(command.env("E2E_PROGRAM", program))
}

/// Runs the local cluster for users, until its example is stable.
fn up_once() -> Result<()> {
    up::run(&["--check".to_owned()])
}

/// Runs the first command of the README.
fn examples() -> Result<()> {
    execute(
        Command::new(built(Profile::Local)?)
            .args([
                "convert",
                "examples/shop",
                "--namespace",
                "shop",
                "--aws-region",
                "eu-west-1",
            ])
            .current_dir(root())
            .stdout(Stdio::null()),
    )
}

/// Checks that licenses, sources and duplicates are in order. Advisories need the network and change independently of
/// this project, so they are only shown.
fn deny() -> Result<()> {
    let tools = target().join("tools");
    let program = tools.join("bin").join(format!("cargo-deny{EXE_SUFFIX}"));
    if !program.exists() {
        execute(
            cargo([
                "install",
                "--quiet",
                "--locked",
                "cargo-deny",
                "--version",
                CARGO_DENY,
                "--root",
            ])
            .arg(&tools),
        )?;
    }
    let check = |what: &[&str]| {
        execute(
            Command::new(&program)
                .args(["--locked", "check"])
                .args(what)
                .current_dir(root()),
        )
    };
    if let Err(error) = check(&["advisories"]) {
        eprintln!("{error}; advisories do not fail the run, look at them");
    }
    check(&["bans", "licenses", "sources"])
}

fn fuzz_shortly() -> Result<()> {
    fuzz::run(&["--seconds".to_owned(), FUZZ_SECONDS.to_owned()])
}
