//! A simulation as a table: each minute in which the number of tasks changes, and a summary.

use std::fmt::Write as _;

use crate::{
    decide::scaling::simulation::{Counts, Minute},
    validate::AutoScaling,
};

/// Returns the table and the summary.
pub(super) fn text(minutes: &[Minute], scaling: &AutoScaling) -> String {
    let has_autoscaler = minutes.first().is_some_and(|it| it.autoscaler.is_some());
    let mut text = String::new();
    let mut line = |cells: &[&str]| {
        let widths = [8, 12, 28];
        let mut row = String::new();
        for (cell, width) in cells.iter().zip(widths.into_iter().chain([0])) {
            let _infallible = write!(row, "{cell:<width$}");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(&[
        "MINUTE",
        "LOAD",
        "POLICIES OF ECS",
        if has_autoscaler { "AUTOSCALER" } else { "" },
    ]);
    let mut before: (Option<&Counts>, Option<&Counts>) = (None, None);
    for (number, minute) in minutes.iter().enumerate() {
        let now = (Some(&minute.policies), minute.autoscaler.as_ref());
        let desired = |counts: Option<&Counts>| counts.map(|it| it.desired);
        let changes = desired(before.0) != desired(now.0) || desired(before.1) != desired(now.1);
        if changes {
            line(&[
                &number.to_string(),
                &load_of(minute),
                &cell(before.0, now.0),
                &cell(before.1, now.1),
            ]);
        }
        before = now;
    }
    text.push('\n');
    let of = |counts: fn(&Minute) -> Option<&Counts>| minutes.iter().filter_map(counts).collect();
    text.push_str(&summary("policies of ECS", &of(|it| Some(&it.policies))));
    if has_autoscaler {
        text.push_str(&summary("autoscaler", &of(|it| it.autoscaler.as_ref())));
    } else if !scaling.step_policies.is_empty() {
        text.push_str("An autoscaler has no steps, so none is compared.\n");
    }
    text
}

/// Returns the loads of the policies, or the only one.
fn load_of(minute: &Minute) -> String {
    let mut loads: Vec<String> = minute.loads.iter().map(|it| format!("{it:.0}")).collect();
    loads.dedup();
    loads.join("/")
}

/// Returns the number of tasks, with the reason if it has just changed.
fn cell(before: Option<&Counts>, now: Option<&Counts>) -> String {
    let Some(now) = now else {
        return String::new();
    };
    if before.is_some_and(|before| before.desired == now.desired) || now.why.is_empty() {
        return now.desired.to_string();
    }
    format!("{} ({})", now.desired, now.why.join(", "))
}

fn summary(who: &str, counts: &Vec<&Counts>) -> String {
    let desired = || counts.iter().map(|it| it.desired);
    let changes = counts.windows(2);
    let changes = changes.filter(|pair| match pair {
        [before, after] => before.desired != after.desired,
        _ => false,
    });
    let changes = changes.count();
    let hours = counts.iter().map(|it| it.desired).sum::<i64>() / 60;
    format!(
        "{who}: {} to {} tasks, {changes} {}, {hours} task hours, {} of {} minutes with too high a metric\n",
        desired().min().unwrap_or(0),
        desired().max().unwrap_or(0),
        if changes == 1 { "change" } else { "changes" },
        counts.iter().filter(|it| it.is_high).count(),
        counts.len(),
    )
}
