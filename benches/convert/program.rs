//! Documents a second of the whole program on a folder, with its findings printed, on one processor and on all.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::memory::{Folder, write};

/// How many files the folder has.
const FILES: usize = 10_000;
/// How often each form is measured.
const ROUNDS: usize = 5;

pub fn run() {
    let name = format!("ecs-operator-bench-program-{}", std::process::id());
    let folder = Folder(env::temp_dir().join(name));
    let documents: usize = (0..FILES).map(|number| write(&folder.0, number)).sum();
    let (mut one, mut all) = (Duration::MAX, Duration::MAX);
    // In turns, so that both see the same machine.
    for _ in 0..ROUNDS {
        one = one.min(converted(&folder.0, true));
        all = all.min(converted(&folder.0, false));
    }
    let per_second = |time: Duration| documents as f64 / time.as_secs_f64();
    println!(
        "program: {documents} documents in {FILES} files, findings printed, the best of {ROUNDS} rounds"
    );
    println!("  one processor: {:>8.0} documents/s", per_second(one));
    println!(
        "  all of them:   {:>8.0} documents/s, {:.2} times",
        per_second(all),
        one.as_secs_f64() / all.as_secs_f64()
    );
}

/// How long the program takes to convert a folder into files.
fn converted(folder: &Path, on_one: bool) -> Duration {
    let program = env!("CARGO_BIN_EXE_ecs-operator");
    let mut command = if on_one {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", "0", program]);
        command
    } else {
        Command::new(program)
    };
    let output = |name: &str| {
        let path = folder.with_extension(name);
        Stdio::from(fs::File::create(path).expect("the temporary folder can be written"))
    };
    command.arg("convert").arg(folder).stdin(Stdio::null());
    command.stdout(output("out")).stderr(output("err"));
    let start = Instant::now();
    command.status().expect("the program starts");
    start.elapsed()
}
