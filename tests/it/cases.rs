//! Golden cases: each folder of `tests/cases` is a conversion with its expected objects and diagnostics.
//!
//! A folder has inputs (every `*.json`, `*.tf` and `*.yaml`), optionally `args` (one line of arguments), and the expected
//! results: `manifests.yaml`, `diagnostics.txt`, and `status` if the exit status is not 0. `UPDATE_CASES=1 cargo test
//! cases` updates the expected files; read the difference before you commit it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{diff::diff, program, schema, yaml};

const MANIFESTS: &str = "manifests.yaml";
pub const DIAGNOSTICS: &str = "diagnostics.txt";
const STATUS: &str = "status";

/// The arguments of every case: notes are shown, one line per finding.
const ARGUMENTS: &[&str] = &["convert", "--verbose", "--diagnostics", "concise"];

#[test]
fn cases_give_what_is_expected() {
    let cases = cases();
    let update = env::var_os("UPDATE_CASES").is_some_and(|value| value == "1");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(failure) = check(case, update) {
                let mut failures = failures.lock().expect("no thread panicked");
                failures.push((case.clone(), failure));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().expect("no thread panicked");
    failures.sort();
    let report: String = failures
        .iter()
        .map(|(case, failure)| format!("== {}\n{failure}\n", name(case)))
        .collect();
    assert!(
        failures.is_empty(),
        "{report}{} of {} cases failed; UPDATE_CASES=1 writes what the program gives",
        failures.len(),
        cases.len()
    );
}

/// Returns the folders of all cases, sorted.
pub fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = files(&folder)
        .into_iter()
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// Returns the input files of a case, sorted, relative to its folder.
pub fn inputs(case: &Path) -> Vec<String> {
    let mut inputs: Vec<String> = files(case)
        .iter()
        .filter(|path| path.is_file())
        .map(|path| name(path).to_owned())
        .filter(|name| name != MANIFESTS)
        .filter(|name| {
            let extension = name.rsplit('.').next();
            matches!(extension, Some("json" | "tf" | "yaml" | "yml"))
        })
        .collect();
    inputs.sort();
    inputs
}

/// Returns the inputs of a case, with their texts.
pub fn texts(case: &Path) -> Vec<(String, String)> {
    let read = |name: String| {
        let text = fs::read_to_string(case.join(&name)).expect("a case has text");
        (name, text)
    };
    inputs(case).into_iter().map(read).collect()
}

/// Returns the case's own arguments, split at white space.
pub fn arguments(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("args")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// The arguments of a case with its inputs.
pub fn all_arguments(case: &Path) -> Vec<String> {
    let mut all = arguments(case);
    // Arguments that name an input choose the inputs themselves.
    let files = inputs(case);
    if !files.iter().any(|file| all.contains(file)) {
        all.extend(files);
    }
    all
}

/// Runs one case; returns what is wrong with it, if anything.
fn check(case: &Path, update: bool) -> Option<String> {
    let mut all: Vec<String> = ARGUMENTS
        .iter()
        .map(|&argument| argument.to_owned())
        .collect();
    all.extend(all_arguments(case));
    let run = program::run(case, &all);
    let status = run
        .status
        .map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let expected_status = if status == "0" {
        ""
    } else {
        &format!("{status}\n")
    };
    let mut wrong = String::new();
    if status == "2" {
        wrong.push_str("the arguments are wrong\n");
    }
    for (file, actual) in [
        (MANIFESTS, run.stdout.as_str()),
        (DIAGNOSTICS, run.stderr.as_str()),
        (STATUS, expected_status),
    ] {
        let path = case.join(file);
        if update {
            write(&path, actual);
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != actual {
            wrong.push_str(&format!("{file}:\n{}", diff(&expected, actual)));
        }
    }
    match yaml::documents(&run.stdout) {
        Ok(objects) => {
            for problem in schema::problems(&objects) {
                wrong.push_str(&format!("{problem}\n"));
            }
        }
        Err(error) => wrong.push_str(&format!("{error}\n")),
    }
    for problem in yaml::ambiguous(&run.stdout) {
        wrong.push_str(&format!("{problem}\n"));
    }
    (!wrong.is_empty()).then_some(wrong)
}

/// Writes an expected file; expected empty content has no file.
fn write(path: &Path, text: &str) {
    if text.is_empty() {
        if path.exists() {
            fs::remove_file(path).expect("the file can be removed");
        }
    } else {
        fs::write(path, text).expect("the file can be written");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("the folder can be read").path())
        .collect()
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("names of cases are UTF-8")
}
