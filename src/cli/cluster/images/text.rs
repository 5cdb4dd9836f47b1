//! What becomes of images, as a table.

use anstyle::{AnsiColor, Style};

use super::outcome::{Becomes, Outcome};
use crate::{
    cli::cluster::{table::Table, terminal::harmless},
    ecr::{Action, Repository, When},
};

/// How many characters of a digest tell it from others.
const SHORT: usize = 19;

const BAD: Style = AnsiColor::Red.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Returns the table of the images that do not stay, and a line about all.
pub(super) fn text(repository: &Repository, outcomes: &[Outcome]) -> String {
    let mut table = Table::new(
        &[
            "SERVICE", "USE", "REVISION", "IMAGE", "WHAT", "WHEN", "RULE",
        ],
        &[],
    );
    for outcome in outcomes {
        let Some((what, style)) = what(outcome.becomes) else {
            continue;
        };
        let (when, rule) = when(outcome.becomes);
        let cells = [
            harmless(&outcome.used.service),
            outcome.used.purpose.name().to_owned(),
            harmless(&outcome.used.task_definition),
            harmless(&image(outcome)),
            what.to_owned(),
            when,
            rule,
        ];
        table.row(cells, 4, style, false);
    }
    let mut lines = table.lines(None);
    if !lines.is_empty() {
        // The empty line before the table.
        lines.remove(0);
        lines.push(String::new());
    }
    lines.push(summary(repository, outcomes));
    lines.join("\n") + "\n"
}

/// Returns the tag and the beginning of the digest.
fn image(outcome: &Outcome) -> String {
    let used = &outcome.used;
    let digest = used.digest.as_ref().or(outcome.digest.as_ref());
    let digest = digest.map(|digest| digest.chars().take(SHORT).collect::<String>());
    match (&used.tag, digest) {
        (Some(tag), Some(digest)) => format!("{tag}@{digest}"),
        (Some(tag), None) => tag.clone(),
        (None, digest) => digest.unwrap_or_default(),
    }
}

/// Returns what becomes of an image, in words; `None` if nothing does.
const fn what(becomes: Becomes) -> Option<(&'static str, Style)> {
    match becomes {
        Becomes::Gone => Some(("is gone", BAD)),
        Becomes::Archived => Some(("is archived", BAD)),
        Becomes::Taken(fate) => Some((
            match fate.action {
                Action::Expire => "expires",
                Action::Archive => "goes to the archive",
            },
            match fate.when {
                When::Due => BAD,
                When::At(_) => WARNING,
                When::AfterPushes(_) => Style::new(),
            },
        )),
        Becomes::Stays => None,
    }
}

/// Returns when a rule takes an image, and its number.
fn when(becomes: Becomes) -> (String, String) {
    let Becomes::Taken(fate) = becomes else {
        return (String::new(), String::new());
    };
    let when = match fate.when {
        When::Due => "within a day".to_owned(),
        When::At(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        When::AfterPushes(1) => "after 1 more push".to_owned(),
        When::AfterPushes(pushes) => format!("after {pushes} more pushes"),
    };
    (when, fate.priority.to_string())
}

fn summary(repository: &Repository, outcomes: &[Outcome]) -> String {
    let name = harmless(&format!("{}/{}", repository.account, repository.name));
    if outcomes.is_empty() {
        return format!("no service uses an image of {name}");
    }
    let count =
        |is_it: fn(&Becomes) -> bool| outcomes.iter().filter(|it| is_it(&it.becomes)).count();
    format!(
        "{name}: of {} uses of its images, {} are gone, {} archived, {} taken by the policy, and {} stay",
        outcomes.len(),
        count(|it| *it == Becomes::Gone),
        count(|it| *it == Becomes::Archived),
        count(|it| matches!(it, Becomes::Taken(_))),
        count(|it| *it == Becomes::Stays),
    )
}
