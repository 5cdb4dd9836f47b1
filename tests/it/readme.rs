//! Checks that the documentation shows what the program does.
//!
//! A comment before a block specifies its source: `file: PATH` is a file, `object: KIND: ARGUMENTS` the object of that
//! kind that the command prints, `diagnostics: ARGUMENTS` its standard error, `output: ARGUMENTS` all of its standard
//! output. `UPDATE_DOCS=1` writes the blocks.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{diff::diff, program};

/// Pages with command lines.
const PAGES: &[&str] = &[
    "README.md",
    "docs/convert.md",
    "docs/deployments.md",
    "docs/migration.md",
    "docs/sources-compose.md",
    "docs/sources-copilot.md",
    "docs/sources-terraform.md",
    "docs/sources.md",
];
/// Pages with examples.
const EXAMPLES: &[&str] = &[
    "README.md",
    "docs/app-runner.md",
    "docs/autoscaling.md",
    "docs/convert.md",
    "docs/images.md",
    "docs/schedules.md",
    "docs/sources-compose.md",
    "docs/sources-copilot.md",
    "docs/sources-terraform.md",
    "docs/sources.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Returns the content of the block below this comment.
fn block(instruction: &str) -> String {
    let (kind, rest) = instruction
        .split_once(": ")
        .unwrap_or_else(|| panic!("no instruction: {instruction}"));
    match kind {
        "file" => read(rest),
        "object" => {
            let (kind, arguments) = rest.split_once(": ").expect("a kind and arguments");
            let output = program::run(root(), arguments.split(' ')).stdout;
            output
                .split("---\n")
                .find(|object| object.contains(&format!("\nkind: {kind}\n")))
                .unwrap_or_else(|| panic!("no {kind} in {output}"))
                .to_owned()
        }
        "diagnostics" => program::run(root(), rest.split(' ')).stderr,
        "output" => program::run(root(), rest.split(' ')).stdout,
        _ => panic!("unknown instruction: {instruction}"),
    }
}

/// Returns the page with all blocks up to date.
fn filled(page: &str) -> String {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(&format!("{line}\n"));
        let Some(instruction) = line
            .strip_prefix("<!-- ")
            .and_then(|line| line.strip_suffix(" -->"))
        else {
            continue;
        };
        let fence = lines.next().expect("a block follows the comment");
        assert!(fence.starts_with("```"), "no block below {line}");
        let content = block(instruction);
        text.push_str(&format!("{fence}\n{}\n```\n", content.trim_end()));
        lines
            .by_ref()
            .find(|line| *line == "```")
            .expect("the block ends");
    }
    text
}

#[test]
fn pages_show_what_the_program_prints() {
    for name in EXAMPLES {
        let page = read(name);
        let filled = filled(&page);
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(root().join(name), &filled).expect("the file can be written");
            continue;
        }
        assert!(
            page == filled,
            "{name}:\n{}\nto write it: cargo xtask docs",
            diff(&page, &filled)
        );
    }
}

/// The plots of simulations in the documentation.
const PLOTS: &[&str] = &["day", "noise", "spike"];

#[test]
fn plots_show_what_the_program_draws() {
    for name in PLOTS {
        let drawn = folder().join(format!("{name}.svg"));
        let load = format!("examples/scaling/{name}.csv");
        let drawn_to = drawn.to_str().expect("it is text");
        let arguments = [
            "simulate",
            "scaling",
            "examples/scaling",
            "--load",
            &load,
            "--svg",
            drawn_to,
        ];
        let run = program::run(root(), arguments);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        let drawn = fs::read_to_string(drawn).expect("it was written");
        let place = format!("docs/images/scaling-{name}.svg");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(root().join(&place), &drawn).expect("the file can be written");
            continue;
        }
        assert!(
            read(&place) == drawn,
            "{place} is old; to write it: cargo xtask docs"
        );
    }
}

/// Returns the arguments of each `ecs-operator` in the page's shell blocks.
fn command_lines(page: &str) -> Vec<Vec<String>> {
    let mut in_shell = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
            continue;
        }
        // This is for each command of a pipe. Other programs may have `ecs-operator` as an argument.
        for command in line.split(" | ") {
            let arguments = command
                .strip_prefix("ecs-operator ")
                .or_else(|| command.strip_prefix("cargo run --release -- "));
            if let (true, Some(arguments)) = (in_shell, arguments) {
                found.push(arguments.split(' ').map(str::to_owned).collect());
            }
        }
    }
    found
}

/// Returns a separate folder, because a command line may write files.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

#[test]
fn command_lines_are_understood() {
    let folder = folder();
    for page in PAGES {
        let lines = command_lines(&read(page));
        assert!(!lines.is_empty(), "no command line in {page}");
        for mut line in lines {
            // Options precede a comment.
            line.truncate(
                line.iter()
                    .position(|word| word == "#")
                    .unwrap_or(line.len()),
            );
            line.retain(|word| !word.is_empty());
            if matches!(line[0].as_str(), "diff" | "status" | "logs" | "scaling") {
                // These need a cluster, except for their help, which is printed only after all errors in the arguments.
                line.push("--help".to_owned());
            }
            let run = program::run(&folder, &line);
            // The files of the examples do not exist here, which is not a usage error.
            assert_ne!(
                run.status,
                Some(2),
                "{page}: {}\n{}",
                line.join(" "),
                run.stderr
            );
        }
    }
}

#[test]
fn options_exist() {
    let help: String = ["convert", "status", "logs"]
        .map(|command| program::run(root(), [command, "--help"]).stdout)
        .concat();
    for page in PAGES {
        let text = read(page);
        for (start, _) in text.match_indices("`--") {
            let option: String = text[start + 1..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(help.contains(&option), "{page}: there is no {option}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/convert.md",
        "docs/fields.md",
        "docs/reasons.md",
    ] {
        let text = read(page);
        for (start, _) in text.match_indices("](") {
            let target = text[start + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.starts_with("https://") {
                continue;
            }
            let file = root().join(page).with_file_name("").join(path);
            assert!(file.exists(), "{page}: {target}");
        }
    }
}
