//! A preview as text: a unified diff of each object, then a line for each resource.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::super::terminal::harmless;
use crate::{
    controller::{Change, ObjectChange, Preview, Replacement},
    print::{self, Ordered},
};

const HEADING: Style = Style::new().bold();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();

/// How many unchanged lines stand around a change.
const CONTEXT: usize = 3;

/// Returns a preview as text; nothing if nothing would change.
///
/// # Errors
///
/// When an object cannot be printed.
pub(super) fn text(preview: &Preview, namespace: Option<&str>) -> Result<String, print::Error> {
    let mut text = String::new();
    let within = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
    for change in &preview.changes {
        for object in change.resource.iter().chain(&change.objects) {
            text.push_str(&diff(object, &within)?);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    for change in &preview.changes {
        for line in summary(change, &within) {
            text.push_str(&harmless(&line));
            text.push('\n');
        }
    }
    if preview.has_changes() && !preview.unreadable.is_empty() {
        let kinds = preview.unreadable.join(", ");
        text.push_str(&harmless(&format!(
            "You may not read these kinds, so it is not known whether someone has edited objects of them: {kinds}."
        )));
        text.push('\n');
    }
    for line in preview.unchecked.iter().filter(|_| preview.has_changes()) {
        text.push_str(&harmless(line));
        text.push('\n');
    }
    Ok(text)
}

/// Returns the unified diff of an object.
fn diff(object: &ObjectChange, within: &str) -> Result<String, print::Error> {
    let ObjectChange {
        kind,
        name,
        before,
        after,
        anyway,
    } = object;
    let yaml = |value: &Option<Value>| match value {
        Some(value) => print::yaml(&Ordered::new(value)?),
        None => Ok(String::new()),
    };
    let (old, new) = (yaml(before)?, yaml(after)?);
    let mut text = String::new();
    let heading = |sign: &str, side: &str| {
        let line = harmless(&format!("{sign} {kind} {within}{name}{side}"));
        format!("{HEADING}{line}{HEADING:#}\n")
    };
    text.push_str(&heading(
        "---",
        if before.is_some() {
            ""
        } else {
            " (does not exist)"
        },
    ));
    text.push_str(&heading(
        "+++",
        match after {
            None => " (deleted, once no task needs it)",
            Some(_) if *anyway => " (also without this apply: edited, or still under way)",
            Some(_) => "",
        },
    ));
    let compared = TextDiff::from_lines(&old, &new);
    let mut unified = compared.unified_diff();
    for hunk in unified.context_radius(CONTEXT).iter_hunks() {
        let _infallible = writeln!(text, "{PLACE}{}{PLACE:#}", hunk.header());
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Delete => ('-', REMOVED),
                ChangeTag::Insert => ('+', ADDED),
            };
            let line = harmless(change.value().trim_end_matches('\n'));
            let _infallible = writeln!(text, "{style}{sign}{line}{style:#}");
        }
    }
    Ok(text)
}

/// Returns the lines that say what becomes of a resource; none if nothing does.
fn summary(change: &Change, within: &str) -> Vec<String> {
    let of = format!("{} {within}{}", change.kind, change.name);
    let is_quiet = change.resource.is_none() && change.objects.is_empty();
    let mut lines = Vec::new();
    if let Some(why) = &change.rejected {
        let goes_on = if change.runs {
            ", and what runs continues"
        } else {
            ""
        };
        lines.push(format!("{of}: rejected{goes_on}: {why}"));
    }
    for why in &change.obstacles {
        lines.push(format!("{of}: cannot be carried out: {why}"));
    }
    if !change.obstacles.is_empty() {
        lines.push(format!(
            "{of}: until this is solved, it is not known what becomes of its tasks"
        ));
    }
    for what in change.later.iter().filter(|_| !is_quiet) {
        lines.push(format!("{of}: later: {what}"));
    }
    for why in &change.unknown {
        lines.push(format!("{of}: not known: {why}"));
    }
    if let Some(replacement) = change.replacement.as_ref().filter(|_| !is_quiet) {
        lines.extend(of_tasks(&of, replacement));
    }
    lines
}

fn of_tasks(of: &str, replacement: &Replacement) -> Vec<String> {
    match replacement {
        Replacement::Starts(Some(count)) => vec![format!("{of}: starts {}", tasks(*count))],
        Replacement::Starts(None) => vec![format!("{of}: starts a task on each node")],
        Replacement::No { begins, desired } => {
            let mut line = format!("{of}: no task is replaced");
            if let (Some(before), Some(after)) = desired {
                let _infallible = match after - before {
                    0 => Ok(()),
                    more @ 1.. => write!(line, "; {} more", tasks(more)),
                    fewer => write!(line, "; {} fewer", tasks(-fewer)),
                };
            }
            if *begins {
                line.push_str(
                    "; a deployment begins and completes at once, because its pods stay the same",
                );
            }
            vec![line]
        }
        Replacement::Yes { pods, inputs } => {
            let mut lines = vec![format!("{of}: all tasks are replaced")];
            let whys = [("  because of", inputs), ("  in the pods:", pods)];
            for (what, which) in whys.into_iter().filter(|(_, which)| !which.is_empty()) {
                lines.push(format!("{what} {}", which.join(", ")));
            }
            lines
        }
    }
}

fn tasks(count: i64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} task{plural}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(preview: &Preview) -> String {
        let text = text(preview, None).expect("it can be printed");
        anstream::adapter::strip_str(&text).to_string()
    }

    fn object(before: Option<Value>, after: Option<Value>) -> ObjectChange {
        ObjectChange {
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
            before,
            after,
            anyway: false,
        }
    }

    fn service(objects: Vec<ObjectChange>, replacement: Replacement) -> Change {
        Change {
            kind: "EcsService".to_owned(),
            name: "web".to_owned(),
            objects,
            replacement: Some(replacement),
            ..Change::default()
        }
    }

    #[test]
    fn nothing_is_said_of_what_does_not_change() {
        let stays = Replacement::No {
            begins: false,
            desired: (Some(2), Some(2)),
        };
        let change = service(Vec::new(), stays);
        let preview = Preview {
            changes: vec![change],
            unreadable: vec!["ConfigMap".to_owned()],
            unchecked: vec!["It is not checked.".to_owned()],
        };
        assert_eq!(plain(&preview), "");
        assert!(!preview.has_changes() && !preview.has_failures());
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings_and_its_effect() {
        let body = |image: &str| json!({"kind": "Deployment", "spec": {"a": 1, "b": 2, "image": image, "y": 3, "z": 4}});
        let replacement = Replacement::Yes {
            pods: vec!["spec.containers[0].image".to_owned()],
            inputs: vec!["task definition: containerDefinitions[0].image".to_owned()],
        };
        let objects = vec![object(Some(body("web:1")), Some(body("web:2")))];
        let preview = Preview {
            changes: vec![service(objects, replacement)],
            ..Preview::default()
        };
        assert_eq!(
            plain(&preview),
            "--- Deployment web
+++ Deployment web
@@ -1,6 +1,6 @@
 kind: Deployment
 spec:
-  image: web:1
+  image: web:2
   a: 1
   b: 2
   \"y\": 3

EcsService web: all tasks are replaced
  because of task definition: containerDefinitions[0].image
  in the pods: spec.containers[0].image
"
        );
    }

    #[test]
    fn what_comes_goes_or_is_refused_is_said() {
        let body = json!({"kind": "Deployment"});
        let comes = object(None, Some(body.clone()));
        let mut change = service(
            vec![comes, object(Some(body), None)],
            Replacement::Starts(Some(2)),
        );
        change.rejected = Some("no\u{1b}[31m".to_owned());
        change.runs = true;
        change.obstacles = vec!["it is taken".to_owned()];
        change.unknown = vec!["who knows".to_owned()];
        let preview = Preview {
            changes: vec![change],
            ..Preview::default()
        };
        assert!(preview.has_failures());
        assert_eq!(
            plain(&preview),
            "--- Deployment web (does not exist)
+++ Deployment web
@@ -0,0 +1 @@
+kind: Deployment
--- Deployment web
+++ Deployment web (deleted, once no task needs it)
@@ -1 +0,0 @@
-kind: Deployment

EcsService web: rejected, and what runs continues: no
EcsService web: cannot be carried out: it is taken
EcsService web: until this is solved, it is not known what becomes of its tasks
EcsService web: not known: who knows
EcsService web: starts 2 tasks
"
        );
    }
}
