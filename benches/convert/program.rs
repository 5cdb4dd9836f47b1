//! Documents a second of the whole program on a folder, with its findings printed, on one processor and on all, compared
//! with the minimum work of any such program: reading the files, parsing the JSON and writing it.

use std::{
    env, fs,
    io::{BufWriter, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::memory::{Folder, write};

/// How many files the folder has.
const FILES: usize = 5_000;
/// How often each form is measured.
const ROUNDS: usize = 3;

pub fn run() {
    let name = format!("ecs-operator-bench-program-{}", std::process::id());
    let folder = Folder(env::temp_dir().join(name));
    let documents: usize = (0..FILES).map(|number| write(&folder.0, number)).sum();
    let (mut least, mut one, mut all) = (Duration::MAX, Duration::MAX, Duration::MAX);
    // In turns, so that all see the same machine.
    for _ in 0..ROUNDS {
        least = least.min(copied(&folder.0));
        one = one.min(converted(&folder.0, true));
        all = all.min(converted(&folder.0, false));
    }
    let per_second = |time: Duration| documents as f64 / time.as_secs_f64();
    println!(
        "program: {documents} documents in {FILES} files, findings printed, the best of {ROUNDS} rounds"
    );
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!("  minimum:       {:>8.0} documents/s", per_second(least));
    println!(
        "  one processor: {:>8.0} documents/s, {:.2} times the minimum",
        per_second(one),
        ratio(one, least)
    );
    println!(
        "  all of them:   {:>8.0} documents/s, {:.2} times as fast as one",
        per_second(all),
        ratio(one, all)
    );
}

/// How long it takes one thread to read and parse all files of a folder, and to write what they contain.
fn copied(folder: &Path) -> Duration {
    let start = Instant::now();
    let output = fs::File::create(folder.with_extension("out"));
    let mut output = BufWriter::new(output.expect("the temporary folder can be written"));
    for inner in fs::read_dir(folder).expect("the folder is there") {
        let inner = inner.expect("the folder is there").path();
        for file in fs::read_dir(inner).expect("the folder is there") {
            let text = fs::read_to_string(file.expect("the file is there").path());
            let text = text.expect("the file is there");
            for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
                let document = document.expect("the documents are JSON");
                writeln!(output, "{document:#}").expect("the temporary folder can be written");
            }
        }
    }
    output.flush().expect("the temporary folder can be written");
    start.elapsed()
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
