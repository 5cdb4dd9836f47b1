//! The documentation that is generated from the code is what the code gives. `cargo xtask docs` writes it.

use std::{env, fs, path::Path};

use ecs_operator::fields::{fields_markdown, reasons_markdown};

use crate::diff::diff;

#[test]
fn the_generated_documentation_is_up_to_date() {
    let update = env::var_os("UPDATE_DOCS").is_some();
    let mut stale = String::new();
    for (name, actual) in [
        ("fields.md", fields_markdown()),
        ("reasons.md", reasons_markdown()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs")
            .join(name);
        if update {
            fs::write(&path, &actual).expect("the file can be written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != actual {
            stale.push_str(&format!("docs/{name}:\n{}", diff(&expected, &actual)));
        }
    }
    assert!(stale.is_empty(), "{stale}\nto write it: cargo xtask docs");
}
