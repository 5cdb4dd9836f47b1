//! Converts files with ECS requests to custom resources.

use std::{path::Path, process::Command};

/// The region of documents without one.
pub const REGION: &str = "--aws-region=eu-west-1";

/// Returns the custom resources that a program creates from the files in a folder below `root`.
pub fn resources(program: &Path, root: &Path, folder: &str) -> String {
    let inputs = if folder.starts_with("examples") {
        vec![folder.into()]
    } else {
        let is_input = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(".json") || name == "resources.yaml"
        };
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(is_input)
            .collect()
    };
    let output = Command::new(program)
        .current_dir(root)
        .args(["convert", "--as=resources", REGION])
        .args(inputs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{folder}: {said}");
    // The namespace in the output is not that of this test.
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace("\n  namespace: default\n", "\n")
}
