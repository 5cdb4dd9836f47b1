//! The files that are generated from the code are up to date. `cargo xtask docs` writes them.

use std::{env, fs, path::Path};

use ecs_operator::{
    crd,
    fields::{fields_markdown, reasons_markdown},
    print::{self, Ordered},
};

use crate::diff::diff;

#[test]
fn the_generated_documentation_is_up_to_date() {
    check(&[
        ("docs/fields.md".to_owned(), fields_markdown()),
        ("docs/reasons.md".to_owned(), reasons_markdown()),
    ]);
}

#[test]
fn the_generated_custom_resource_definitions_are_up_to_date() {
    let files: Vec<(String, String)> = crd::definitions()
        .iter()
        .map(|definition| {
            let ordered = Ordered::new(definition).expect("a definition is plain data");
            let text = print::yaml(&ordered).expect("a definition can be printed");
            (format!("crds/{}.yaml", definition.spec.names.plural), text)
        })
        .collect();
    check(&files);
}

/// Compares files with their expected content, or writes them.
fn check(files: &[(String, String)]) {
    let update = env::var_os("UPDATE_DOCS").is_some();
    let mut stale = String::new();
    for (name, actual) in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if update {
            fs::write(&path, actual).expect("the file can be written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != *actual {
            stale.push_str(&format!("{name}:\n{}", diff(&expected, actual)));
        }
    }
    assert!(stale.is_empty(), "{stale}\nto write it: cargo xtask docs");
}
