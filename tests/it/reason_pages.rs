//! Each reason has a page: its head and its example are generated, and what it means and why is written by hand.
//! `cargo xtask docs` writes what is generated.

use std::{collections::BTreeMap, env, fs, path::Path};

use ecs_operator::{
    diagnostic::{Page, Reason, Severity, StateReason},
    fields,
};

use crate::{
    cases::{self, DIAGNOSTICS, cases},
    diff::diff,
    program,
};

const GENERATED: &str = "<!-- The head and the example are written by `cargo xtask docs`. -->\n";

/// The shortest explanation that says more than the message, in characters.
const SHORTEST: usize = 80;

/// The longest line of a page that is written by hand, in characters.
const LONGEST_LINE: usize = 120;

#[test]
fn the_generated_parts_are_up_to_date() {
    let update = env::var_os("UPDATE_DOCS").is_some();
    let examples = examples();
    let mut stale = String::new();
    for (name, (head, _)) in pages() {
        let example = examples.get(name).map_or("", String::as_str);
        let file = format!("docs/reasons/{name}.md");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        let expected = fs::read_to_string(&path).unwrap_or_default();
        // Not that of the program: somebody may have written it since that was compiled.
        let explanation = Page::of(&expected).explanation();
        let actual = Page::text(&head, explanation, example);
        if expected == actual {
            continue;
        }
        if update {
            fs::write(&path, &actual).expect("the file can be written");
        } else {
            stale.push_str(&format!("{file}:\n{}", diff(&expected, &actual)));
        }
    }
    assert!(stale.is_empty(), "{stale}\nto write it: cargo xtask docs");
}

#[test]
fn each_error_is_explained() {
    let mut wrong = Vec::new();
    for reason in Reason::ALL {
        let text = reason.page().explanation();
        let is_error = reason.severity() == Severity::Error;
        if (is_error || !text.is_empty()) && text.chars().count() < SHORTEST {
            wrong.push(format!("{reason} is not explained"));
        }
    }
    for (name, (_, page)) in pages() {
        let mut lines = page.explanation().lines();
        if lines.any(|line| line.chars().count() > LONGEST_LINE) {
            wrong.push(format!("{name} has a line of more than {LONGEST_LINE}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_page_belongs_to_a_reason() {
    let pages = pages();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons");
    let files = fs::read_dir(folder).expect("the folder is there");
    let names = files.map(|file| file.expect("it can be read").file_name());
    let others: Vec<_> = names
        .filter(|name| {
            let name = name.to_str().and_then(|name| name.strip_suffix(".md"));
            !name.is_some_and(|name| pages.contains_key(name))
        })
        .collect();
    assert!(others.is_empty(), "{others:?} belong to no reason");
}

/// The head and the page of each name. A name may be that of a finding and of a state.
fn pages() -> BTreeMap<&'static str, (String, Page<'static>)> {
    let mut pages = BTreeMap::new();
    for reason in Reason::ALL {
        let severity = match reason.severity() {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
            Severity::Note => "Note",
        };
        let intro = format!("{severity}: {}.", fields::consequence(*reason));
        let help = reason.readable_help();
        let help = (!help.is_empty()).then(|| format!("help: {help}"));
        let mut head = format!("{GENERATED}\n# {reason}\n");
        add_section(
            &mut head,
            &intro,
            [Some(reason.readable_message().as_str()), help.as_deref()],
        );
        pages.insert(reason.name(), (head, reason.page()));
    }
    for reason in StateReason::ALL {
        let (head, _) = pages
            .entry(reason.name())
            .or_insert_with(|| (format!("{GENERATED}\n# {reason}\n"), reason.page()));
        let help = Some(reason.help()).filter(|help| !help.is_empty());
        let intro = "In conditions, events and stopped tasks.";
        add_section(head, intro, [Some(reason.meaning()), help]);
    }
    pages
}

/// Adds an introduction with the texts that it introduces.
fn add_section(head: &mut String, intro: &str, texts: [Option<&str>; 2]) {
    let texts = texts.iter().flatten();
    let quoted: Vec<String> = texts
        .map(|text| format!("> {}\n", text.replace('<', "&lt;")))
        .collect();
    head.push_str(&format!("\n{intro}\n\n{}", quoted.join(">\n")));
}

/// For each reason that a golden case reports, how the program reports it: from the case with the fewest findings.
fn examples() -> BTreeMap<String, String> {
    let mut chosen: BTreeMap<&str, (usize, &Path)> = BTreeMap::new();
    let cases = cases();
    for case in &cases {
        let findings = fs::read_to_string(case.join(DIAGNOSTICS)).unwrap_or_default();
        let size = findings.lines().count();
        for reason in Reason::ALL {
            let name = reason.name();
            if findings.contains(&format!("[{name}]: ")) {
                let best = chosen.entry(name).or_insert((size, case));
                if size < best.0 {
                    *best = (size, case);
                }
            }
        }
    }
    let mut reports: BTreeMap<&Path, String> = BTreeMap::new();
    let mut examples = BTreeMap::new();
    for (name, (_, case)) in chosen {
        let report = reports.entry(case).or_insert_with(|| report(case));
        let mark = format!("[{name}]: ");
        let finding = report
            .split("\n\n")
            .find(|finding| {
                finding
                    .lines()
                    .next()
                    .is_some_and(|line| line.contains(&mark))
            })
            .unwrap_or_else(|| panic!("{name} is in {}", case.display()));
        let folder = case
            .file_name()
            .expect("a case has a name")
            .to_string_lossy();
        let example = format!(
            "## Example\n\nFrom [{folder}](../../tests/cases/{folder}):\n\n```text\n{}\n```\n",
            finding.trim_end()
        );
        examples.insert(name.to_owned(), example);
    }
    examples
}

/// What the program reports about a case.
fn report(case: &Path) -> String {
    let mut arguments = vec!["convert".to_owned(), "--verbose".to_owned()];
    arguments.extend(cases::all_arguments(case));
    program::run(case, &arguments).stderr
}
