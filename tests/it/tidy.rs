//! Rules of this project that no lint checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The maximum number of lines of a file, without its tests.
const MOST_LINES: usize = 400;

/// Files that may be longer, with the reason.
const LONGER: &[(&str, &str)] = &[("src/diagnostic/reason.rs", "the table of all reasons")];

/// The files of a part and the modules of this crate that they must not use.
struct Border {
    part: &'static str,
    foreign: &'static [&'static str],
}

/// Files that may use what their part must not, and why.
const BRIDGES: &[(&str, &[&str], &str)] = &[(
    "src/validate/pod/mod.rs",
    &["k8s_openapi", "translate"],
    "`kubernetes.pod` has the types of Kubernetes, and only the translation knows what it would take away",
)];

/// All other parts, for one that stands alone.
const OTHERS: &[&str] = &[
    "cli",
    "controller",
    "convert",
    "crd",
    "decide",
    "diagnostic",
    "ecs",
    "fields",
    "input",
    "print",
    "rendering",
    "schedule",
    "settings",
    "source",
    "translate",
    "validate",
    "k8s_openapi",
];

/// The forbidden dependencies between parts. Everything that is not listed is allowed.
const BORDERS: &[Border] = &[
    Border {
        part: "src/ecs",
        foreign: &[
            "cli",
            "convert",
            "crd",
            "decide",
            "diagnostic",
            "fields",
            "input",
            "print",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/diagnostic",
        foreign: &[
            "cli",
            "convert",
            "crd",
            "decide",
            "ecs",
            "fields",
            "input",
            "print",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/settings",
        foreign: &[
            "cli",
            "convert",
            "crd",
            "decide",
            "ecs",
            "fields",
            "input",
            "print",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/fields",
        foreign: &[
            "cli",
            "convert",
            "crd",
            "decide",
            "ecs",
            "input",
            "print",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/crd",
        foreign: &[
            "cli",
            "convert",
            "decide",
            "input",
            "print",
            "settings",
            "source",
            "translate",
            "validate",
        ],
    },
    Border {
        part: "src/input.rs",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "decide",
            "diagnostic",
            "fields",
            "print",
            "rendering",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/app_runner",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "decide",
            "fields",
            "print",
            "rendering",
            "source",
            "translate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/dockerfile",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "crd",
            "decide",
            "ecs",
            "fields",
            "input",
            "print",
            "rendering",
            "settings",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/decide",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "print",
            "rendering",
            "source",
            "translate",
        ],
    },
    Border {
        part: "src/ecr",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "crd",
            "decide",
            "ecs",
            "fields",
            "input",
            "print",
            "rendering",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/quantity.rs",
        foreign: OTHERS,
    },
    Border {
        part: "src/event",
        foreign: OTHERS,
    },
    Border {
        part: "src/schedule",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "crd",
            "decide",
            "diagnostic",
            "ecs",
            "fields",
            "input",
            "print",
            "rendering",
            "settings",
            "source",
            "translate",
            "validate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/rendering",
        foreign: &["cli", "controller", "convert", "decide", "print", "server"],
    },
    Border {
        part: "src/validate",
        foreign: &[
            "cli",
            "convert",
            "decide",
            "fields",
            "print",
            "source",
            "translate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/translate",
        foreign: &["cli", "convert", "decide", "fields", "print", "source"],
    },
    Border {
        part: "src/source",
        foreign: &[
            "cli",
            "convert",
            "decide",
            "print",
            "translate",
            "k8s_openapi",
        ],
    },
    Border {
        part: "src/policy",
        foreign: &[
            "cli",
            "controller",
            "convert",
            "crd",
            "decide",
            "ecs",
            "fields",
            "input",
            "print",
            "rendering",
            "settings",
            "source",
            "translate",
            "validate",
        ],
    },
    Border {
        part: "src/print",
        foreign: &["cli", "convert", "decide", "fields", "source", "validate"],
    },
    Border {
        part: "src/convert",
        foreign: &["cli"],
    },
];

/// Parts whose result depends only on their arguments.
const PURE: &[&str] = &[
    "src/app_runner",
    "src/convert",
    "src/crd",
    "src/decide",
    "src/diagnostic",
    "src/dockerfile",
    "src/ecr",
    "src/ecs",
    "src/event",
    "src/fields",
    "src/input.rs",
    "src/policy",
    "src/print",
    "src/quantity.rs",
    "src/schedule",
    "src/settings",
    "src/translate",
    "src/validate",
];

/// What a pure part must not use: input, output, clocks, the environment, random numbers.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::env::",
    "std::fs",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "std::process",
    "std::thread",
    "stdin(",
    "stdout(",
    "stderr(",
];

/// A source file, with its path from the root.
struct File {
    path: String,
    text: String,
}

impl File {
    /// Returns the code before the unit tests.
    fn production(&self) -> &str {
        match self.text.split_once("\n#[cfg(test)]\nmod tests {") {
            Some((production, _)) => production,
            None => &self.text,
        }
    }

    /// Returns the lines of code before the unit tests, with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.production()
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_test(&self) -> bool {
        ["tests.rs", "testing.rs"]
            .iter()
            .any(|name| self.path.ends_with(name))
            || self.path.contains("/tests/")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the Rust files of a folder, or the file itself.
fn files(part: &str) -> Vec<File> {
    let mut paths = Vec::new();
    collect(&root().join(part), &mut paths);
    paths.sort();
    let files: Vec<File> = paths
        .iter()
        .map(|path| File {
            path: path
                .strip_prefix(root())
                .expect("the file is below the root")
                .to_string_lossy()
                .replace('\\', "/"),
            text: fs::read_to_string(path).expect("the file can be read"),
        })
        .collect();
    assert!(!files.is_empty(), "nothing in {part}");
    files
}

fn collect(path: &Path, paths: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("the folder can be read") {
            collect(&entry.expect("the folder can be read").path(), paths);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        paths.push(path.to_path_buf());
    }
}

fn all() -> Vec<File> {
    [
        "src",
        "tests/it",
        "benches",
        "xtask/src",
        "fuzz/fuzz_targets",
        "fuzz/src",
    ]
    .iter()
    .flat_map(|part| files(part))
    .collect()
}

fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// Whether `code` contains the word, not only a longer one.
fn names(code: &str, word: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        !before.is_some_and(part_of_a_word) && !after.is_some_and(part_of_a_word)
    })
}

/// Returns the modules that the production code of a file imports from this crate or refers to by a path, and other
/// crates.
fn imports(file: &File) -> Vec<String> {
    let code: String = file
        .code()
        .map(|(_, line)| line)
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(word(rest)),
        }
    }
    if names(&code, "k8s_openapi") {
        found.push("k8s_openapi".to_owned());
    }
    found
}

/// Returns the first words of the elements of `{a, b::c, d::{e, f}}`, without its first brace.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut heads = Vec::new();
    let mut fresh = true;
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                heads.extend(word(&group[index..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> Option<String> {
    let word: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn parts_know_only_whom_they_may() {
    let mut found = Vec::new();
    for border in BORDERS {
        for file in files(border.part).iter().filter(|file| !file.is_test()) {
            for module in imports(file) {
                let is_bridge = BRIDGES.iter().any(|(path, modules, _)| {
                    *path == file.path && modules.contains(&module.as_str())
                });
                if border.foreign.contains(&module.as_str()) && !is_bridge {
                    found.push(format!("{} uses {module}", file.path));
                }
            }
        }
    }
    none(&found, "parts that must not know each other");
}

#[test]
fn imports_are_found_in_every_spelling() {
    let file = File {
        path: String::new(),
        text: "use crate::{\n    ecs, settings::{Mode, Settings},\n    translate,\n};\nuse crate::print::write;\nfn f() { crate::cli::main() }\n#[cfg(test)]\nmod tests {\n use crate::source;\n}\n".to_owned(),
    };
    assert_eq!(
        imports(&file),
        ["ecs", "settings", "translate", "print", "cli"]
    );
}

#[test]
fn pure_parts_have_no_input_and_no_output() {
    let mut found = Vec::new();
    for file in PURE
        .iter()
        .flat_map(|part| files(part))
        .filter(|file| !file.is_test())
    {
        for (number, line) in file.code() {
            for word in IMPURE.iter().filter(|word| line.contains(*word)) {
                found.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    none(&found, "pure parts have no input and no output");
}

#[test]
fn translation_leaves_no_member_out() {
    let mut found = Vec::new();
    for file in files("src/translate").iter().filter(|file| !file.is_test()) {
        let code: Vec<&str> = file
            .code()
            .flat_map(|(_, line)| line.split_whitespace())
            .collect();
        // `Variant { .. }` only checks the variant; `Struct { member, .. }` ignores the other members.
        let forgets = |words: &[&str]| matches!(words, [before, "..", after] if before.ends_with(',') && after.starts_with('}'));
        if code.windows(3).any(forgets) {
            found.push(file.path.clone());
        }
    }
    none(&found, "patterns that would not notice a new member");
}

#[test]
fn files_begin_with_what_they_are() {
    let found: Vec<String> = all()
        .iter()
        .filter(|file| {
            !file.text.starts_with("//! ") && !file.text.starts_with("#![no_main]\n//! ")
        })
        .map(|file| file.path.clone())
        .collect();
    none(&found, "files without a comment of what they are");
}

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for file in all() {
        let is_data = file.text.contains("//! Generated by ")
            || LONGER.iter().any(|(path, _)| *path == file.path);
        let lines = file.production().lines().count();
        if lines > MOST_LINES && !is_data && !file.is_test() && file.path.starts_with("src/") {
            found.push(format!("{}: {lines} lines", file.path));
        }
    }
    none(&found, "files with more than 400 lines before their tests");
}

#[test]
fn exceptions_exist() {
    for (path, _) in LONGER {
        let lines = files(path)[0].production().lines().count();
        assert!(lines > MOST_LINES, "{path} has {lines} lines: no exception");
    }
    for (path, modules, _) in BRIDGES {
        let used = imports(&files(path)[0]);
        for module in *modules {
            assert!(
                used.iter().any(|it| it == module),
                "{path} does not use {module}"
            );
        }
    }
}

#[test]
fn tests_do_not_wait() {
    let call = ["thread", "sleep"].join("::");
    let files = ["src", "tests/it"].iter().flat_map(|part| files(part));
    let found: Vec<String> = files
        .filter(|file| file.text.contains(&call))
        .map(|file| file.path)
        .collect();
    none(&found, "files that sleep");
}

#[test]
fn nothing_is_left_to_do_in_comments() {
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
    ];
    let mut found = Vec::new();
    for file in all() {
        for (index, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| names(line, word)) {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    none(&found, "notes of what is left to do");
}
