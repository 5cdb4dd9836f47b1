//! Malicious input: its names, its paths, its processing time.
#![cfg(unix)]

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::program::Folder;

const GOOD: &str = r#"{
  "family": "web",
  "networkMode": "awsvpc",
  "containerDefinitions": [{"name": "web", "image": "nginx:1.27", "memory": 128}]
}"#;

#[test]
fn a_link_in_the_output_folder_does_not_lead_out_of_it() {
    let folder = Folder::new("links", &[("web.json", GOOD), ("precious", "precious")]);
    fs::create_dir(folder.0.join("out")).expect("the folder can be made");
    let read = |name: &str| fs::read_to_string(folder.0.join(name)).expect("it is a file");
    for (name, status) in [
        (".web-deployment.yaml.unfinished", 0),
        ("web-deployment.yaml", 2),
    ] {
        let link = folder.0.join("out").join(name);
        let _none = fs::remove_file(&link);
        symlink("../precious", &link).expect("the link can be made");
        let run = folder.run(&["convert", "--output-dir", "out", "web.json"]);
        assert_eq!(run.status, Some(status), "{name}: {}", run.stderr);
        assert_eq!(read("precious"), "precious", "{name}");
        if status == 0 {
            assert!(read("out/web-deployment.yaml").starts_with("apiVersion: apps/v1\n"));
        }
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_unfinished() {
    let folder = Folder::new("occupied", &[("web.json", GOOD)]);
    fs::create_dir_all(folder.0.join("out/web-deployment.yaml")).expect("the folder can be made");
    let run = folder.run(&["convert", "--output-dir", "out", "web.json"]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("out/web-deployment.yaml"),
        "{}",
        run.stderr
    );
    let left = fs::read_dir(folder.0.join("out")).expect("the folder is there");
    assert_eq!(left.count(), 1);
}

#[test]
fn a_pipe_in_a_folder_is_reported_and_not_waited_for() {
    let service = r#"{"serviceName": "web", "taskDefinition": "web", "desiredCount": 1}"#;
    let folder = Folder::new("fifo", &[("web.json", GOOD), ("service.json", service)]);
    let made = Command::new("mkfifo")
        .arg(folder.0.join("pipe.json"))
        .status()
        .expect("mkfifo starts");
    assert!(made.success());
    let run = folder.run(&["convert", "."]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("it is not a regular file"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("name: web\n"), "{}", run.stdout);
    // The files of these two are looked into before they are input.
    for inner in [".aws", "out"] {
        fs::remove_file(folder.0.join("pipe.json")).ok();
        fs::create_dir_all(folder.0.join(inner)).expect("the folder can be made");
        let pipe = folder.0.join(inner).join("pipe.json");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo starts").success());
        let run = folder.run(&["convert", ".", "--output-dir", "out"]);
        assert_eq!(run.status, Some(1), "{inner}: {}", run.stderr);
        let is_named = run.stderr.contains("it is not a regular file");
        assert!(is_named, "{inner}: {}", run.stderr);
        fs::remove_file(&pipe).expect("the pipe is there");
    }
}

#[test]
fn a_pipe_that_is_named_is_read_once() {
    let folder = Folder::new("substitution", &[]);
    for number in 0..6 {
        let text = GOOD.replace("web", &format!("web{number}"));
        folder.write(&format!("{number}.json"), &text);
    }
    folder.write("web.json", GOOD);
    // This is what a shell does for `convert <(cat web.json) 0.json ...`.
    let pipe = folder.0.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let source = folder.0.join("web.json");
    let writer = std::thread::spawn(move || fs::copy(source, pipe));
    let run = folder.run(&[
        "convert", "pipe", "0.json", "1.json", "2.json", "3.json", "4.json", "5.json",
    ]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(run.objects().len(), 7, "{}", run.stderr);
    writer
        .join()
        .expect("the writer ends")
        .expect("the pipe was read");
}

#[test]
fn names_of_files_are_no_commands() {
    let name = "a\u{1b}[2J\n::error::b.json";
    let folder = Folder::new("commands", &[(name, "{")]);
    for format in ["full", "concise", "json", "github"] {
        let run = folder.run(&["convert", "--explain-input", "--diagnostics", format, "."]);
        assert_eq!(run.status, Some(1), "{format}: {}", run.stderr);
        let obeyed = run
            .stderr
            .lines()
            .any(|line| line.starts_with("::error::b"));
        assert!(!obeyed && !run.stderr.contains('\u{1b}'), "{}", run.stderr);
    }
}
