//! Checks that the tests in `docs/failure-modes.md` exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The test programs with their own modules.
const PROGRAMS: &[&str] = &["control_plane", "e2e", "faults", "it", "storage", "upgrade"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the names in the last column of the table below this heading.
fn named() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/failure-modes.md")).expect("it is there");
    let (_, section) = text
        .split_once("\n## Which test would notice\n")
        .expect("there is a section of tests");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
    rows.skip(1)
        .take_while(|line| line.starts_with('|'))
        .flat_map(|row| {
            let column = row.trim_end_matches([' ', '|']).rsplit('|').next();
            let names: Vec<String> = column
                .unwrap_or_default()
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            assert!(!names.is_empty(), "no test in {row}");
            names
        })
        .collect()
}

/// Returns the files that may contain a module.
fn files(modules: &[&str]) -> Vec<PathBuf> {
    let in_folder = |modules: &[&str]| match modules.split_first() {
        Some((program, rest)) if PROGRAMS.contains(program) => {
            root().join("tests").join(program).join(rest.join("/"))
        }
        _ => root().join("src").join(modules.join("/")),
    };
    let mut found = Vec::new();
    // Unit tests are at the end of their file, or in a separate one.
    for modules in [Some(modules), modules.strip_suffix(&["tests"])] {
        let Some(path) = modules.map(in_folder) else {
            continue;
        };
        found.push(path.with_extension("rs"));
        found.push(path.join("mod.rs"));
        found.push(path.join("main.rs"));
    }
    found
}

fn exists(name: &str) -> bool {
    if name.starts_with("tests/cases/") {
        return root().join(name).is_dir();
    }
    let modules: Vec<&str> = name.split("::").collect();
    let Some((function, modules)) = modules.split_last() else {
        return false;
    };
    let head = format!("fn {function}(");
    let texts = files(modules).into_iter().map(fs::read_to_string);
    texts.flatten().any(|text| {
        let lines: Vec<&str> = text.lines().collect();
        let is_test = |index: usize| {
            let above = lines[index.saturating_sub(2)..index].iter();
            let mut above = above.map(|line| line.trim_start());
            above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
        };
        let mut numbered = lines.iter().enumerate();
        numbered.any(|(index, line)| line.contains(&head) && is_test(index))
    })
}

#[test]
fn each_test_that_would_notice_exists() {
    let missing: Vec<String> = named().into_iter().filter(|name| !exists(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/failure-modes.md names what is not there; write the names as they are now:\n{}",
        missing.join("\n")
    );
}

#[test]
fn what_is_not_there_is_missed() {
    assert!(exists(
        "decide::start_timeout::tests::a_clock_that_is_behind_makes_nothing_late"
    ));
    assert!(exists("upgrade::stage::the_older_version_is_one_commit"));
    for name in [
        "decide::start_timeout::tests::a_clock",
        "decide::start_timeout::look",
        "upgrade::a_clock_that_is_behind_makes_nothing_late",
        "tests/cases/nothing-of-this-name",
    ] {
        assert!(!exists(name), "{name}");
    }
}
