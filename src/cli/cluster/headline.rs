//! The head of a page: what conditions and warnings say.

use anstyle::{AnsiColor, Style};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    standing::condition,
    terminal::{harmless, wrapped},
};
use crate::{
    crd::{ACCEPTED, WarningStatus},
    diagnostic::StateReason,
};

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const UNDER_WAY: Style = AnsiColor::Yellow.on_default();

/// A line that begins with styled words.
pub(super) struct Headline {
    style: Style,
    styled: String,
    rest: String,
}

impl Headline {
    pub(super) fn new(style: Style, styled: &str, rest: &str) -> Self {
        Self {
            style,
            styled: harmless(styled),
            rest: harmless(rest),
        }
    }

    /// Returns the line, wrapped to this many columns.
    pub(super) fn lines(&self, columns: usize) -> Vec<String> {
        let Self {
            style,
            styled,
            rest,
        } = self;
        let mut lines = wrapped(&format!("{styled}{rest}"), columns);
        if let Some(first) = lines.first_mut()
            && let Some(after) = first.strip_prefix(styled.as_str())
        {
            *first = format!("{style}{styled}{style:#}{after}");
        }
        lines
    }
}

/// Describes the conditions: whether the spec is rejected, or its result.
pub(super) fn verdict(conditions: &[Condition], type_: &str, looked_at: bool) -> Vec<Headline> {
    let plain = |text: &str| Headline::new(Style::new(), "", text);
    if conditions.is_empty() {
        return vec![plain("No operator has processed it yet.")];
    }
    let mut said = Vec::new();
    if !looked_at {
        said.push(plain("The operator has not processed the newest spec yet."));
    }
    let accepted = condition(conditions, ACCEPTED).filter(|it| it.status != "True");
    if let Some(condition) = accepted.or_else(|| condition(conditions, type_)) {
        let style = match (
            condition.status.as_str(),
            StateReason::named(&condition.reason),
        ) {
            ("True", _) => GOOD,
            ("Unknown", _) | (_, Some(StateReason::InProgress | StateReason::RollingBack)) => {
                UNDER_WAY
            }
            _ => BAD,
        };
        let mut lines = condition.message.lines();
        let first = format!(": {}", lines.next().unwrap_or_default());
        said.push(Headline::new(style, &condition.reason, &first));
        said.extend(lines.map(|line| plain(&format!("  {line}"))));
    }
    said
}

pub(super) fn warnings(warnings: &[WarningStatus]) -> Vec<Headline> {
    let line = |warning: &WarningStatus| {
        let (reason, path, message) = (&warning.reason, &warning.path, &warning.message);
        let text = format!(": {path}: {reason}: {message}");
        Headline::new(UNDER_WAY, "warning", &text)
    };
    warnings.iter().map(line).collect()
}
