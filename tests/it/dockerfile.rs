//! Dockerfiles for the source services of App Runner: each folder of `tests/dockerfiles` has an input and what comes of
//! it. `UPDATE_CASES=1 cargo test dockerfile` updates these; read the difference before you commit it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use ecs_operator::{
    dockerfile::{Level, dockerfile},
    source::SourceText,
};
use serde_json::{Value, json};

use crate::program;

/// The Dockerfile, and what is said about the input.
const RESULTS: [&str; 2] = ["Dockerfile", "findings.txt"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dockerfiles")
}

/// Returns the input of each folder.
fn inputs() -> Vec<PathBuf> {
    let folders = fs::read_dir(folder()).expect("the folder exists");
    let mut inputs: Vec<PathBuf> = folders
        .flat_map(|entry| {
            let path = entry.expect("it can be read").path();
            ["apprunner.yaml", "service.json"].map(|name| path.join(name))
        })
        .filter(|path| path.exists())
        .collect();
    inputs.sort();
    inputs
}

/// Returns the Dockerfile and the findings of an input; empty texts for what there is not.
fn results(input: &Path) -> [String; 2] {
    let name = input.file_name().and_then(|name| name.to_str());
    let text = fs::read_to_string(input).expect("it can be read");
    let outcome = dockerfile(&SourceText::new(name.unwrap_or_default(), &text), None);
    let is_wrong = outcome.findings.iter().any(|it| it.level == Level::Error);
    assert_eq!(
        outcome.dockerfile.is_none(),
        is_wrong,
        "{}",
        input.display()
    );
    let findings = outcome.findings.iter();
    let findings = findings.map(|it| format!("{}: {}: {}\n", it.line, it.level.name(), it.text));
    [outcome.dockerfile.unwrap_or_default(), findings.collect()]
}

#[test]
fn dockerfiles_are_what_is_expected() {
    let update = env::var_os("UPDATE_CASES").is_some_and(|value| value == "1");
    let inputs = inputs();
    assert!(inputs.len() > 10, "{inputs:?}");
    for input in inputs {
        for (name, text) in RESULTS.iter().zip(results(&input)) {
            let path = input.with_file_name(name);
            if update && text.is_empty() {
                let _absent = fs::remove_file(&path);
            } else if update {
                fs::write(&path, &text).expect("it can be written");
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, expected, "{}", path.display());
        }
    }
}

/// Each instruction is one that the program has written: nothing in the input begins one of its own.
#[test]
fn no_input_begins_an_instruction() {
    let known = [
        "#", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "EXPOSE", "CMD",
    ];
    for hostile in [
        "x\nUSER root",
        "x\r\nUSER root",
        "x\rUSER root",
        "\nUSER root",
        "x \\\nUSER root",
        "x <<EOF\nEOF",
        "x \\",
        "\"'\\ $(id) `id` ${HOME} # y",
        "\u{2028}USER root",
    ] {
        for place in ["command", "run", "env", "name"] {
            let of = |name: &str, plain: &str| {
                let text = if place == name { hostile } else { plain };
                Value::from(text)
            };
            let text = json!({
                "version": "1.0", "runtime": "go1",
                "build": {"commands": {"build": [of("run", "make")]}},
                "run": {
                    "command": of("command", "./app"),
                    "env": [{"name": of("name", "A"), "value": of("env", "b")}],
                },
            });
            let source = SourceText::new("apprunner.json", &text.to_string());
            let outcome = dockerfile(&source, None);
            let Some(dockerfile) = outcome.dockerfile else {
                assert!(
                    matches!(place, "env" | "name"),
                    "{place}: {:?}",
                    outcome.findings
                );
                continue;
            };
            for line in dockerfile.lines() {
                let first = line.split(' ').next().unwrap_or_default();
                assert!(known.contains(&first), "{place}: {line:?} in {dockerfile}");
                assert!(!line.ends_with('\\'), "{place}: {line:?}");
            }
            let lines = dockerfile.lines().count();
            assert_eq!(lines, 9, "{place}: {dockerfile}");
        }
    }
}

#[test]
fn the_command_writes_to_standard_output_and_findings_to_standard_error() {
    let run = |arguments: &[&str]| {
        let all = [&["apprunner", "dockerfile"], arguments].concat();
        program::run(&folder(), all)
    };
    let good = run(&["python"]);
    let expected = fs::read_to_string(folder().join("python/Dockerfile")).expect("it is there");
    assert_eq!((good.status, good.stdout), (Some(0), expected));
    assert!(
        good.stderr.starts_with("python/apprunner.yaml:28: note: "),
        "{}",
        good.stderr
    );
    let bad = run(&["mistakes/apprunner.yaml"]);
    assert_eq!((bad.status, &*bad.stdout), (Some(1), ""));
    assert!(
        bad.stderr
            .starts_with("mistakes/apprunner.yaml:1: error: version"),
        "{}",
        bad.stderr
    );
    let other = run(&["node-defaults", "--from", "example.com/node:1"]);
    assert!(
        other.stdout.contains("\nFROM example.com/node:1\n"),
        "{}",
        other.stdout
    );
    assert_eq!(run(&["absent"]).status, Some(2));
    assert_eq!(run(&["python", "--from", "a\nUSER root"]).status, Some(2));
}
