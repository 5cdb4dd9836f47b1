//! The command line: exit statuses, destinations of the output, formats of diagnostics.

use std::{fs, io::Read as _, process::Stdio};

use serde_json::{Value, json};

use crate::program::{Folder, command, run_with_input};

const GOOD: &str = r#"{
  "family": "web",
  "networkMode": "awsvpc",
  "containerDefinitions": [{"name": "web", "image": "nginx:1.27", "memory": 128, "essential": true}]
}"#;

const SERVICE: &str = r#"{"serviceName": "web", "taskDefinition": "web", "desiredCount": 1}"#;

/// A Classic Load Balancer is rejected.
const REJECTED: &str = r#"{
  "serviceName": "old",
  "taskDefinition": "web",
  "desiredCount": 1,
  "loadBalancers": [{"loadBalancerName": "classic", "containerName": "web", "containerPort": 80}]
}"#;

/// A kernel memory limit without swap is translated with a difference.
const WARNED: &str = r#"{
  "family": "warned",
  "networkMode": "awsvpc",
  "containerDefinitions": [{
    "name": "web", "image": "nginx:1.27", "memory": 128,
    "linuxParameters": {"maxSwap": 64, "swappiness": 10}
  }]
}"#;

/// Returns `Deployment web` for each object.
fn names(objects: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    objects
        .iter()
        .map(|object| {
            format!(
                "{} {}",
                text(&object["kind"]),
                text(&object["metadata"]["name"])
            )
        })
        .collect()
}

#[test]
fn a_good_document_gives_objects_and_status_0() {
    let folder = Folder::new("good", &[("web.json", GOOD)]);
    let run = folder.run(&["convert", "web.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(
        names(&run.objects()).contains(&"Deployment web".to_owned()),
        "{}",
        run.stdout
    );
    let summary = run.stderr.lines().last().unwrap_or_default();
    assert!(summary.contains("1 document"), "{summary}");
}

#[test]
fn a_rejected_document_gives_status_1_and_the_others_their_objects() {
    let folder = Folder::new("rejected", &[("web.json", GOOD), ("old.json", REJECTED)]);
    let run = folder.run(&["convert", "."]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("ClassicLoadBalancerUnsupported"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("old.json:5:"), "{}", run.stderr);
    assert!(!run.stdout.contains("name: old"), "{}", run.stdout);
}

#[test]
fn a_file_that_is_not_json_is_shown_and_the_others_are_converted() {
    let broken = "{\n  \"family\": \"broken\",\n  \"cpu\": oops\n}";
    let files = [
        ("broken.json", broken),
        ("service.json", SERVICE),
        ("web.json", GOOD),
    ];
    let folder = Folder::new("broken", &files);
    let run = folder.run(&["convert", "."]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("broken.json:3:10"), "{}", run.stderr);
    assert!(run.stderr.contains("\"cpu\": oops"), "{}", run.stderr);
    assert!(
        names(&run.objects()).contains(&"Deployment web".to_owned()),
        "{}",
        run.stdout
    );
}

#[test]
fn a_missing_file_gives_status_1_and_the_others_are_converted() {
    let folder = Folder::new("missing", &[("web.json", GOOD), ("service.json", SERVICE)]);
    let run = folder.run(&["convert", "absent.json", "web.json", "service.json"]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("absent.json"), "{}", run.stderr);
    assert!(
        names(&run.objects()).contains(&"Deployment web".to_owned()),
        "{}",
        run.stdout
    );
}

#[test]
fn what_a_missing_file_may_run_is_not_made_a_service() {
    let folder = Folder::new("unknown", &[("web.json", GOOD)]);
    let run = folder.run(&["convert", "absent.json", "web.json"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains("TaskDefinitionNotRun"),
        "{}",
        run.stderr
    );
    let run = folder.run(&["convert", "--as", "resources", "absent.json", "web.json"]);
    assert!(
        run.stdout.contains("kind: EcsTaskDefinition"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_missing_file_is_no_document() {
    let folder = Folder::new("no-document", &[("web.json", GOOD)]);
    let run = folder.run(&["convert", "absent.json", "web.json", "web.json"]);
    let summary = run.stderr.lines().last().unwrap_or_default();
    assert!(summary.starts_with("1 document, "), "{summary}");
    folder.write("copy.json", &GOOD.replace("1.27", "1.28"));
    let run = folder.run(&["convert", "web.json", "copy.json"]);
    let summary = run.stderr.lines().last().unwrap_or_default();
    assert!(run.stderr.contains("DuplicateDocument"), "{}", run.stderr);
    assert!(summary.starts_with("2 documents, "), "{summary}");
}

#[test]
fn the_output_folder_is_no_input() {
    let files = [("ecs/web.json", GOOD), ("ecs/service.json", SERVICE)];
    let folder = Folder::new("output-inside", &files);
    let other = Folder::new("output-inside-resources", &files);
    for (format, folder) in [("manifests", &folder), ("resources", &other)] {
        let out = format!("ecs/k8s/{format}");
        let arguments = ["convert", "ecs", "--as", format, "--output-dir", &out];
        let first = folder.run(&arguments);
        assert_eq!(first.status, Some(0), "{}", first.stderr);
        let second = folder.run(&arguments);
        assert_eq!(
            (second.status, &second.stderr),
            (Some(0), &first.stderr),
            "{format}"
        );
    }
    // What somebody else wrote there is input.
    folder.write(
        "ecs/k8s/manifests/job.json",
        &GOOD.replace("\"web\"", "\"job\""),
    );
    let run = folder.run(&["convert", "ecs", "--output-dir", "ecs/k8s/manifests"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("no service or task runs job"),
        "{}",
        run.stderr
    );
    // A folder that is named is read, also if it is the output.
    let out = "ecs/k8s/resources";
    let run = other.run(&["convert", out, "--output-dir", out]);
    assert!(run.stderr.contains("\n2 documents, "), "{}", run.stderr);
}

#[test]
fn wrong_usage_gives_status_2() {
    let folder = Folder::new("usage", &[("web.json", GOOD)]);
    for arguments in [
        &["translate", "web.json"][..],
        &["convert", "--no-such-flag", "web.json"],
        &["convert", "--kubernetes-version", "1.2", "web.json"],
        &["convert", "--output", "xml", "web.json"],
        &["convert", "--namespace", "Not_A_Name", "web.json"],
        &["convert", "--platform", "mesos", "web.json"],
        &["convert"],
        &[],
    ] {
        let run = folder.run(arguments);
        assert_eq!(run.status, Some(2), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = Folder::new("help", &[]);
    for arguments in [&["--help"][..], &["--version"], &["convert", "--help"]] {
        let run = folder.run(arguments);
        assert_eq!(run.status, Some(0), "{arguments:?}: {}", run.stderr);
        assert!(run.stdout.contains("ecs-operator"), "{arguments:?}");
    }
}

#[test]
fn warnings_count_when_they_are_denied() {
    let folder = Folder::new("warned", &[("warned.json", WARNED)]);
    let run = folder.run(&["convert", "warned.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("warning"), "{}", run.stderr);
    let run = folder.run(&["convert", "--deny-warnings", "warned.json"]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let summary = "3 errors: warnings that --deny-warnings rejects\n";
    assert!(run.stderr.ends_with(summary), "{}", run.stderr);
    let allow = |reasons: &str| {
        let allowed = format!("--allow-warnings={reasons}");
        folder.run(&["convert", "--deny-warnings", &allowed, "warned.json"])
    };
    let run = allow("ServiceAssumed,SwapNotConfigurable,SwappinessIgnored");
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("warning[SwappinessIgnored]"),
        "{}",
        run.stderr
    );
    let run = allow("ServiceAssumed,SwappinessIgnored");
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let denied = "error[SwapNotConfigurable]";
    assert_eq!(run.stderr.matches("error[").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(denied), "{}", run.stderr);
    folder.write("old.json", REJECTED);
    folder.write("web.json", GOOD);
    let arguments = [
        "convert",
        "--deny-warnings=TaskDefinitionNotRun",
        "warned.json",
        "old.json",
    ];
    let run = folder.run(&arguments);
    let summary = ", of which 1 is a warning that --deny-warnings rejects\n";
    assert!(run.stderr.ends_with(summary), "{}", run.stderr);
}

#[test]
fn a_task_definition_alone_has_the_same_warnings_as_a_resource() {
    let folder = Folder::new("alone", &[("warned.json", WARNED)]);
    let warnings = |arguments: &[&str]| -> Vec<String> {
        let run = folder.run(arguments);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        let lines = run.stderr.lines();
        let warnings = lines.filter(|line| line.contains(": warning["));
        // The operator assumes no service.
        let others = warnings.filter(|line| !line.contains("ServiceAssumed"));
        others.map(str::to_owned).collect()
    };
    let objects = warnings(&["convert", "warned.json", "--diagnostics", "concise"]);
    let resources = warnings(&[
        "convert",
        "warned.json",
        "--diagnostics",
        "concise",
        "--as",
        "resources",
    ]);
    assert_eq!(objects.len(), 2, "{objects:?}");
    assert_eq!(objects, resources);
}

#[test]
fn a_call_of_a_function_is_filled_by_its_whole_text() {
    let text = GOOD.replace("nginx:1.27", "nginx:{{ env \\\"TAG\\\" \\\"latest\\\" }}");
    let folder = Folder::new(
        "function",
        &[("web.json", &text), ("service.json", SERVICE)],
    );
    for set in ["{{ env \"TAG\" \"latest\" }}=7", "TAG=7"] {
        let run = folder.run(&["convert", ".", "--set", set]);
        assert!(run.stdout.contains("nginx:7"), "{set}: {}", run.stdout);
        assert!(!run.stderr.contains("SetUnused"), "{set}: {}", run.stderr);
    }
}

#[test]
fn notes_are_shown_on_request() {
    let folder = Folder::new("notes", &[("web.json", GOOD)]);
    let quiet = folder.run(&["convert", "web.json"]);
    let note = "InstanceRoleReachable";
    assert!(!quiet.stderr.contains(note), "{}", quiet.stderr);
    let verbose = folder.run(&["convert", "--verbose", "web.json"]);
    assert!(verbose.stderr.contains(note), "{}", verbose.stderr);
    assert_eq!(quiet.stdout, verbose.stdout);
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let folder = Folder::new("pipe", &[]);
    // This is more than any pipe holds.
    for number in 0..400 {
        let text = GOOD.replace("web", &format!("web{number}"));
        folder.write(&format!("{number}.json"), &text);
    }
    let mut child = command(&folder.0)
        .args(["convert", "."])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = child.stdout.take().expect("standard output is a pipe");
    stdout
        .read_exact(&mut [0; 100])
        .expect("something is printed");
    drop(stdout);
    let output = child.wait_with_output().expect("the program ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        !stderr.contains("panicked") && !stderr.to_lowercase().contains("broken pipe"),
        "{stderr}"
    );
}

#[test]
fn standard_input_is_a_file_like_others() {
    let folder = Folder::new("stdin", &[("web.json", GOOD)]);
    let named = folder.run(&["convert", "web.json"]);
    let given = run_with_input(&folder.0, &["convert", "-"], GOOD.as_bytes());
    assert_eq!(given.status, Some(0), "{}", given.stderr);
    assert_eq!(given.stdout, named.stdout);
    let described = json!({"taskDefinition": serde_json::from_str::<Value>(GOOD).expect("it is JSON"), "tags": []});
    let described = run_with_input(
        &folder.0,
        &["convert", "-"],
        described.to_string().as_bytes(),
    );
    assert_eq!(described.stdout, named.stdout);
}

#[test]
fn json_and_yaml_are_the_same_objects() {
    let folder = Folder::new("json", &[("web.json", GOOD)]);
    let yaml = folder.run(&["convert", "web.json"]);
    let json = folder.run(&["convert", "--output", "json", "web.json"]);
    assert_eq!(json.status, Some(0), "{}", json.stderr);
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&json.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("it is JSON");
    let objects = match &documents[..] {
        [list] if list["kind"] == "List" => list["items"].as_array().expect("it is a list").clone(),
        _ => documents,
    };
    assert_eq!(objects, yaml.objects());
}

#[test]
fn a_folder_gets_a_file_for_each_object() {
    let folder = Folder::new("output", &[("web.json", GOOD)]);
    let printed = folder.run(&["convert", "web.json"]);
    let run = folder.run(&["convert", "--output-dir", "out/k8s", "web.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    let mut written = Vec::new();
    for entry in fs::read_dir(folder.0.join("out/k8s")).expect("the folder was made") {
        let path = entry.expect("the folder can be read").path();
        let text = fs::read_to_string(&path).expect("it is a file");
        let mut objects = crate::yaml::documents(&text).expect("it is YAML");
        assert_eq!(objects.len(), 1, "{}", path.display());
        written.append(&mut objects);
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(names(&written)), sorted(names(&printed.objects())));
    // The second run overwrites existing files.
    let again = folder.run(&["convert", "--output-dir", "out/k8s", "web.json"]);
    assert_eq!(again.status, Some(0), "{}", again.stderr);
}

#[test]
fn a_wrong_value_as_long_as_a_file_is_told_in_short() {
    let text = GOOD.replacen(
        "\"memory\": ",
        &format!("\"memory\": {}", "9".repeat(100_000)),
        1,
    );
    assert_ne!(text, GOOD);
    let folder = Folder::new("long", &[("web.json", &text)]);
    let run = folder.run(&["convert", "--diagnostics", "concise", "web.json"]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stderr.len() < 3000, "{} bytes", run.stderr.len());
    assert!(run.stderr.contains("bytes more"), "{}", run.stderr);
}

#[test]
fn the_namespace_is_that_of_every_object() {
    let folder = Folder::new("namespace", &[("web.json", GOOD)]);
    let run = folder.run(&["convert", "--namespace", "shop", "web.json"]);
    for object in run.objects() {
        assert_eq!(object["metadata"]["namespace"], "shop");
    }
}

#[test]
fn machines_get_diagnostics_as_json() {
    let folder = Folder::new("machines", &[("web.json", GOOD), ("old.json", REJECTED)]);
    let run = folder.run(&["convert", "--diagnostics", "json", "."]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let values: Vec<Value> = serde_json::Deserializer::from_str(&run.stderr)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let rejected = values
        .iter()
        .find(|value| value["reason"] == "ClassicLoadBalancerUnsupported")
        .unwrap_or_else(|| panic!("{}", run.stderr));
    assert_eq!(rejected["severity"], "error");
    assert_eq!(rejected["path"], "loadBalancers[0].loadBalancerName");
    assert_eq!(rejected["line"], 5);
    assert!(
        rejected["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("old.json")),
        "{rejected}"
    );
    assert!(
        rejected["message"].is_string() && rejected["help"].is_string(),
        "{rejected}"
    );
}

#[test]
fn github_gets_annotations() {
    let folder = Folder::new("github", &[("web.json", GOOD), ("old.json", REJECTED)]);
    let run = folder.run(&["convert", "--diagnostics", "github", "web.json", "old.json"]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let annotation = run
        .stderr
        .lines()
        .find(|line| line.starts_with("::error file=old.json,line=5,"));
    assert!(annotation.is_some(), "{}", run.stderr);
}

#[test]
fn colors_are_for_terminals() {
    let folder = Folder::new("colors", &[("old.json", REJECTED), ("web.json", GOOD)]);
    let escape = '\u{1b}';
    let plain = folder.run(&["convert", "."]);
    assert!(!plain.stderr.contains(escape), "{}", plain.stderr);
    assert!(!plain.stdout.contains(escape), "{}", plain.stdout);
    let colored = |name: &str| {
        let output = command(&folder.0)
            .args(["convert", "."])
            .env("CLICOLOR_FORCE", "1")
            .env(name, "1")
            .output()
            .expect("the program starts");
        String::from_utf8_lossy(&output.stderr).contains(escape)
    };
    assert!(colored("CLICOLOR_FORCE"));
    assert!(!colored("NO_COLOR"));
}

#[test]
fn documents_of_several_files_find_each_other() {
    let service = r#"{"serviceName": "shop", "taskDefinition": "web", "desiredCount": 3}"#;
    let folder = Folder::new("several", &[("web.json", GOOD), ("service.json", service)]);
    let one = folder.run(&["convert", "web.json", "service.json"]);
    assert_eq!(one.status, Some(0), "{}", one.stderr);
    let found = names(&one.objects());
    assert!(found.contains(&"Deployment shop".to_owned()), "{found:?}");
    assert!(!found.contains(&"Deployment web".to_owned()), "{found:?}");
    let other = folder.run(&["convert", "service.json", "web.json"]);
    assert_eq!(one.stdout, other.stdout);
    let folder = folder.run(&["convert", "."]);
    assert_eq!(one.stdout, folder.stdout);
}

#[test]
fn placeholders_are_filled_by_set() {
    let text = GOOD.replace("nginx:1.27", "registry.example/web:${TAG}");
    let folder = Folder::new("set", &[("web.json", &text)]);
    let run = folder.run(&["convert", "--set", "TAG=v7", "web.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("image: registry.example/web:v7\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn input_is_explained_on_request() {
    let folder = Folder::new("explained", &[("web.json", GOOD)]);
    let run = folder.run(&["convert", "--explain-input", "web.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let line = run.stderr.lines().find(|line| line.contains("web.json"));
    assert!(
        line.is_some_and(|line| line.contains("containerDefinitions")),
        "{}",
        run.stderr
    );
}

#[test]
fn a_field_is_explained() {
    let folder = Folder::new("explain", &[]);
    let run = folder.run(&["explain", "containerDefinitions.dependsOn"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("initContainers"), "{}", run.stdout);
    let extension = folder.run(&["explain", "autoScaling.scaler"]);
    assert_eq!(extension.status, Some(0), "{}", extension.stderr);
    assert!(
        extension.stdout.contains("one of operator"),
        "{}",
        extension.stdout
    );
    let all = folder.run(&["explain"]);
    assert!(all.stdout.lines().count() > 200, "{}", all.stdout);
    let unknown = folder.run(&["explain", "containerDefinitions.dependOn"]);
    assert_eq!(unknown.status, Some(2), "{}", unknown.stdout);
    assert!(unknown.stderr.contains("dependsOn"), "{}", unknown.stderr);
}
