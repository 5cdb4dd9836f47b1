//! Schedule expressions of AWS, `at(...)`, `rate(...)` and `cron(...)`, and when they fire: pure.
//!
//! Sources: <https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>, and for what happens when
//! clocks change <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>.

mod context;
mod cron;
mod crontab;
mod field;
mod firing;
mod zone;

pub use self::{
    context::{Occurrence, context_attributes},
    cron::Cron,
    crontab::{Inexact, crontab},
    firing::Recurrence,
    zone::zone,
};

use jiff::civil::DateTime;

/// A schedule expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Once, at a local time.
    At(DateTime),
    /// Again and again after this many minutes; a day has 1440.
    Rate(i64),
    /// Whenever the local time matches, with a precision of a minute.
    Cron(Cron),
}

impl Schedule {
    /// Parses a schedule with the rules of Application Auto Scaling.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(body) = inside(text, "cron") {
            Cron::parse(body).map(Self::Cron)
        } else if let Some(body) = inside(text, "rate") {
            rate(body).map(Self::Rate)
        } else if let Some(body) = inside(text, "at") {
            at(body).map(Self::At)
        } else {
            Err("a schedule is cron(...), rate(...) or at(...)".to_owned())
        }
    }
}

impl Schedule {
    /// Parses a schedule with the rules of EventBridge Scheduler, which has no seconds, may leave out the year, and
    /// wants one of the two days to be `?`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn of_scheduler(text: &str) -> Result<Self, String> {
        if inside(text.trim(), "cron").is_none() {
            return Self::parse(text);
        }
        let fields = scheduler_fields(text)?;
        let [_, _, day_of_month, _, day_of_week, _] = &fields;
        if (day_of_month == "?") == (day_of_week == "?") {
            return Err("exactly one of day-of-month and day-of-week must be ?".to_owned());
        }
        Cron::parse(&fields.join(" ")).map(Self::Cron)
    }
}

impl Schedule {
    /// Parses a schedule with the rules of EventBridge's own rules, which have no at(), want a year, and one of the two
    /// days to be `?`, and the singular of a unit for 1.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn of_rule(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(body) = inside(text, "cron") {
            let count = body.split_whitespace().count();
            if count != 6 {
                return Err(format!("cron() of a rule takes 6 fields, not {count}"));
            }
            return Self::of_scheduler(text);
        }
        let Some(body) = inside(text, "rate") else {
            return Err("a rule has cron(...) or rate(...)".to_owned());
        };
        let is_plural = body.trim_end().ends_with(['s', 'S']);
        match rate(body)? {
            _ if body.split_whitespace().next() == Some("1") && is_plural => {
                Err("rate() of a rule takes minute, hour or day for 1".to_owned())
            }
            minutes => Ok(Self::Rate(minutes)),
        }
    }
}

/// Returns the fields of a `cron(...)` of EventBridge Scheduler in upper case. It has five, or six with a year.
///
/// # Errors
///
/// What is wrong with it, for people.
fn scheduler_fields(text: &str) -> Result<[String; 6], String> {
    let body = inside(text.trim(), "cron").unwrap_or_default();
    let mut fields: Vec<String> = body
        .split_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    if fields.len() == 5 {
        fields.push("*".to_owned());
    }
    fields
        .try_into()
        .map_err(|fields: Vec<String>| format!("cron() takes 5 or 6 fields, not {}", fields.len()))
}

/// Returns what a keyword has in its parentheses.
fn inside<'t>(text: &'t str, keyword: &str) -> Option<&'t str> {
    let head = text.get(..keyword.len())?;
    let body = text.get(keyword.len()..)?;
    let body = body.strip_prefix('(')?.strip_suffix(')')?;
    head.eq_ignore_ascii_case(keyword).then_some(body)
}

fn at(body: &str) -> Result<DateTime, String> {
    let time: Option<DateTime> = body.parse().ok().filter(|_| body.contains('T'));
    time.ok_or_else(|| "at() takes an existing date and time, yyyy-mm-ddThh:mm:ss".to_owned())
}

/// Returns the minutes of a rate. Application Auto Scaling uses the plural of a unit also for 1.
fn rate(body: &str) -> Result<i64, String> {
    let mut words = body.split_whitespace();
    let (number, unit, rest) = (words.next(), words.next(), words.next());
    let number = number
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| *number > 0);
    let minutes = match (number, unit.map(str::to_ascii_lowercase).as_deref(), rest) {
        (Some(1), Some("minute"), None) | (Some(_), Some("minutes"), None) => Some(1),
        (Some(1), Some("hour"), None) | (Some(_), Some("hours"), None) => Some(60),
        (Some(1), Some("day"), None) | (Some(_), Some("days"), None) => Some(1440),
        _ => None,
    };
    minutes
        .zip(number)
        .map(|(minutes, number)| minutes * i64::from(number))
        .ok_or_else(|| "rate() takes a whole number above 0 and minutes, hours or days".to_owned())
}

#[cfg(test)]
mod tests;
