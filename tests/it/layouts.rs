//! The folders that `convert --layout` writes.

use std::{collections::BTreeMap, fs, path::Path};

use crate::program::{Folder, Run};

const WEB: &str = r#"{
  "family": "web",
  "networkMode": "awsvpc",
  "containerDefinitions": [
    {"name": "app", "image": "shop/web:1.10", "memory": 128, "command": ["docker", "inspect", "-f", "{{range .Mounts}}{{end}}"]},
    {"name": "log", "image": "<REGISTRY>/log:7", "memory": 128}
  ]
}"#;
const SERVICE: &str = r#"{"serviceName": "web", "taskDefinition": "web", "desiredCount": 3}"#;
const REJECTED: &str = r#"{"family": "bad", "containerDefinitions": [{"name": "bad"}]}"#;

const LAYOUTS: [&str; 3] = ["plain", "kustomize", "helm"];

fn folder(name: &str) -> Folder {
    Folder::new(
        name,
        &[("ecs/web.json", WEB), ("ecs/service.json", SERVICE)],
    )
}

fn convert(folder: &Folder, layout: &str, more: &[&str]) -> Run {
    let arguments = ["convert", "--layout", layout, "--output-dir", "out"];
    folder.run(&[&arguments, more].concat())
}

/// Returns the texts of all files below a folder, by their paths.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("it is a text");
                let name = path.strip_prefix(folder).expect("it is in the folder");
                files.insert(name.display().to_string(), text);
            }
        }
    }
    files
}

fn out(folder: &Folder) -> BTreeMap<String, String> {
    tree(&folder.0.join("out"))
}

#[test]
fn a_tree_is_the_same_again_in_any_order_and_beside_its_input() {
    for layout in LAYOUTS {
        let folder = folder(&format!("layout-again-{layout}"));
        let files = ["ecs/web.json", "ecs/service.json"];
        let run = convert(&folder, layout, &files);
        assert_eq!(run.status, Some(0), "{layout}: {}", run.stderr);
        let first = out(&folder);
        assert!(first.len() > 1, "{layout}: {first:?}");
        fs::remove_dir_all(folder.0.join("out")).expect("the folder can be removed");
        convert(&folder, layout, &["ecs/service.json", "ecs/web.json"]);
        assert_eq!(out(&folder), first, "{layout}");
        for _ in 0..2 {
            // The output is below the input.
            let run = convert(&folder, layout, &["."]);
            assert_eq!(run.status, Some(0), "{layout}: {}", run.stderr);
            let summary = run.stderr.lines().last().unwrap_or_default();
            assert!(summary.starts_with("2 documents, "), "{layout}: {summary}");
            assert_eq!(out(&folder), first, "{layout}");
        }
    }
}

#[test]
fn a_chart_may_be_in_the_folder_of_its_input() {
    let folder = folder("layout-chart-inside");
    for _ in 0..2 {
        let run = folder.run(&["convert", ".", "--layout", "helm", "--output-dir", "."]);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        let summary = run.stderr.lines().last().unwrap_or_default();
        assert!(summary.starts_with("2 documents, "), "{summary}");
    }
}

#[test]
fn nothing_is_written_over_the_file_of_somebody_else() {
    for (layout, file) in [
        ("plain", "web-deployment.yaml"),
        ("kustomize", "base/web-deployment.yaml"),
        ("kustomize", "base/kustomization.yaml"),
        ("helm", "templates/web-deployment.yaml"),
        ("helm", "templates/_values.tpl"),
        ("helm", "values.yaml"),
    ] {
        let folder = folder(&format!("layout-foreign-{}", file.replace('/', "-")));
        folder.write(
            &format!("out/{file}"),
            "kind: Deployment\nmetadata: {name: api}\n",
        );
        let before = out(&folder);
        let run = convert(&folder, layout, &["ecs"]);
        assert_eq!(run.status, Some(2), "{file}: {}", run.stderr);
        assert!(
            run.stderr.contains(&format!("out/{file}")),
            "{}",
            run.stderr
        );
        assert_eq!(out(&folder), before, "{file}");
    }
}

#[test]
fn objects_of_an_earlier_version_are_written_over() {
    let folder = folder("layout-upgrade");
    convert(&folder, "plain", &["ecs"]);
    let before = out(&folder);
    let old = before["web-deployment.yaml"].replace("replicas: 3", "replicas: 1");
    assert_ne!(old, before["web-deployment.yaml"]);
    folder.write("out/web-deployment.yaml", &old);
    let run = convert(&folder, "plain", &["ecs"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(out(&folder), before);
}

#[test]
fn files_of_the_user_are_kept() {
    for (layout, file, base) in [
        (
            "kustomize",
            "overlays/prod/kustomization.yaml",
            "base/web-deployment.yaml",
        ),
        ("helm", "Chart.yaml", "values.yaml"),
    ] {
        let folder = folder(&format!("layout-kept-{layout}"));
        let overlays: &[&str] = match layout {
            "kustomize" => &["--overlay", "prod"],
            _ => &[],
        };
        convert(&folder, layout, &[overlays, &["ecs"]].concat());
        assert!(out(&folder).contains_key(file), "{file}");
        folder.write(&format!("out/{file}"), "mine: true\n");
        folder.write("ecs/service.json", &SERVICE.replace('3', "5"));
        folder.write("ecs/web.json", &WEB.replace("1.10", "1.11"));
        let run = convert(&folder, layout, &[overlays, &["--verbose", "ecs"]].concat());
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("as they are: {file}")),
            "{}",
            run.stderr
        );
        let after = out(&folder);
        assert_eq!(after[file], "mine: true\n");
        assert!(after[base].contains("1.11"), "{}", after[base]);
    }
}

#[test]
fn overlays_say_what_the_base_says() {
    let folder = folder("layout-overlays");
    let run = convert(
        &folder,
        "kustomize",
        &["--overlay", "prod", "--overlay", "dev", "ecs"],
    );
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let files = out(&folder);
    let expected = "# Written by ecs-operator convert once: it is yours from now on.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: default
images:
- name: shop/web
  newTag: \"1.10\"
replicas:
- name: web
  count: 3
resources:
- ../../base
sortOptions:
  order: legacy
";
    for overlay in ["dev", "prod"] {
        let path = format!("overlays/{overlay}/kustomization.yaml");
        assert_eq!(files[&path], expected, "{overlay}");
    }
    let base = &files["base/kustomization.yaml"];
    let names: Vec<&str> = base
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .collect();
    let written = files.keys().filter_map(|path| path.strip_prefix("base/"));
    let written: Vec<&str> = written
        .filter(|name| *name != "kustomization.yaml")
        .collect();
    assert_eq!(names, written);
}

#[test]
fn templates_print_braces_of_others_as_they_are() {
    let folder = folder("layout-braces");
    convert(&folder, "helm", &["ecs"]);
    let files = out(&folder);
    let template = &files["templates/web-deployment.yaml"];
    for line in [
        r#"{{ "{{" }}range .Mounts}}{{ "{{" }}end}}"#,
        r#"image: "{{ include "ecs-operator.image" (index .Values.images "web" "app") }}""#,
        r#"image: "{{ include "ecs-operator.placeholder" (list . "REGISTRY" "<REGISTRY>") }}/log:7""#,
        r#"replicas: {{ index .Values.replicas "web" }}"#,
        r#"namespace: "{{ .Release.Namespace }}""#,
    ] {
        assert!(template.contains(line), "{line} is not in\n{template}");
    }
    convert(&folder, "helm", &["--namespace", "shop", "ecs"]);
    let files = out(&folder);
    assert!(files["templates/web-deployment.yaml"].contains("namespace: shop\n"));
}

#[test]
fn an_incomplete_base_or_chart_is_not_written() {
    for layout in LAYOUTS {
        let folder = folder(&format!("layout-rejected-{layout}"));
        convert(&folder, layout, &["ecs"]);
        let before = out(&folder);
        folder.write("ecs/bad.json", REJECTED);
        folder.write("ecs/service.json", &SERVICE.replace('3', "5"));
        let run = convert(&folder, layout, &["ecs"]);
        assert_eq!(run.status, Some(1), "{}", run.stderr);
        let is_withheld = run.stderr.contains("OutputWithheld");
        assert_eq!(is_withheld, layout != "plain", "{}", run.stderr);
        assert_eq!(out(&folder) == before, is_withheld, "{layout}");
    }
}

#[test]
fn files_that_an_earlier_run_left_are_named() {
    for (layout, inner) in [
        ("plain", ""),
        ("kustomize", "base/"),
        ("helm", "templates/"),
    ] {
        let folder = folder(&format!("layout-left-{layout}"));
        folder.write("ecs/api.json", &WEB.replace("web", "api"));
        convert(&folder, layout, &["ecs"]);
        folder.write("out/templates/own.yaml", "mine: true\n");
        fs::remove_file(folder.0.join("ecs/api.json")).expect("the file can be removed");
        let run = convert(&folder, layout, &["--diagnostics", "concise", "ecs"]);
        let left = format!("did not write: {inner}api-deployment.yaml");
        assert!(run.stderr.contains(&left), "{layout}: {}", run.stderr);
        assert!(!run.stderr.contains("own.yaml"), "{layout}: {}", run.stderr);
    }
}

#[test]
fn layouts_require_their_options() {
    let folder = folder("layout-usage");
    for arguments in [
        &["--layout", "helm", "ecs"][..],
        &["--layout", "kustomize", "ecs"],
        &["--layout", "tree", "--output-dir", "out", "ecs"],
        &[
            "--layout",
            "helm",
            "--output-dir",
            "out",
            "--output",
            "json",
            "ecs",
        ],
        &[
            "--layout",
            "helm",
            "--output-dir",
            "out",
            "--overlay",
            "prod",
            "ecs",
        ],
        &["--output-dir", "out", "--overlay", "prod", "ecs"],
        &[
            "--layout",
            "kustomize",
            "--output-dir",
            "out",
            "--overlay",
            "../prod",
            "ecs",
        ],
        &[
            "--layout",
            "kustomize",
            "--output-dir",
            "out",
            "--overlay",
            ".",
            "ecs",
        ],
    ] {
        let run = folder.run(&[&["convert"], arguments].concat());
        assert_eq!(run.status, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(!folder.0.join("out").exists(), "{arguments:?}");
    }
}
