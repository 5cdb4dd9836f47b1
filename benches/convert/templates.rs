//! The time of the whole program for a folder of templates, compared with the same documents as plain JSON.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    documents::{self, Input},
    memory::Folder,
};

/// How many templates the folder has.
const TEMPLATES: usize = 126;
/// How often each folder is measured.
const ROUNDS: usize = 10;

pub fn run() {
    let inputs: Vec<Input> = (0..TEMPLATES).map(documents::input).collect();
    let documents: usize = inputs.iter().map(|input| input.documents).sum();
    let plain = written("plain", inputs.iter().map(|input| input.text.clone()));
    let templates = written("templates", inputs.iter().map(documents::template));
    let (mut of_plain, mut of_templates) = (Duration::MAX, Duration::MAX);
    // In turns, so that both see the same machine.
    for _ in 0..ROUNDS {
        of_plain = of_plain.min(converted(&plain.0));
        of_templates = of_templates.min(converted(&templates.0));
    }
    println!(
        "templates: {TEMPLATES} of them with {documents} documents in {of_templates:?}, {:.2} times the same documents \
         as plain JSON, the best of {ROUNDS} rounds",
        of_templates.as_secs_f64() / of_plain.as_secs_f64()
    );
}

/// Writes a folder with these files.
fn written(name: &str, texts: impl Iterator<Item = String>) -> Folder {
    let name = format!("ecs-operator-bench-{name}-{}", std::process::id());
    let folder = Folder(env::temp_dir().join(name));
    fs::create_dir_all(&folder.0).expect("the temporary folder can be written");
    for (number, text) in texts.enumerate() {
        let path = folder.0.join(format!("{number:03}.json"));
        fs::write(path, text).expect("the temporary folder can be written");
    }
    folder
}

/// How long the program takes to convert a folder.
fn converted(folder: &Path) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-operator"));
    command.arg("convert").arg(folder);
    command.args(["--aws-region", "eu-central-1", "--parameter", "Tag=7"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let output = command.stderr(Stdio::null()).status();
    let status = output.expect("the program starts");
    let elapsed = start.elapsed();
    assert!(status.success(), "{} is not converted", folder.display());
    elapsed
}
