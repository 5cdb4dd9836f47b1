//! Schedules as the crontab lines of Kubernetes' CronJobs, where these mean the same.
//!
//! A CronJob reads five fields (<https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>):
//! 0 is Sunday, a range does not run backwards, and there are no `L`, `W`, `#` and years.

use super::{
    Schedule,
    field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOURS, MINUTES, MONTH, YEAR},
    scheduler_fields,
};

/// Why no crontab line means the same as a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inexact {
    /// `at()`: a crontab line has no year, so it fires again.
    Once,
    /// A rate that does not begin anew each hour or each day.
    Rate,
    /// `L`, `W` or `#`.
    Days,
    /// Another year than every one.
    Years,
}

/// Returns the crontab line of a schedule of EventBridge Scheduler that [`Schedule::of_scheduler`] made of this text.
///
/// A rate counts from when its schedule was made; its line counts from the full hour or from midnight.
///
/// # Errors
///
/// Why there is none.
pub fn crontab(schedule: &Schedule, text: &str) -> Result<String, Inexact> {
    match schedule {
        Schedule::At(_) => Err(Inexact::Once),
        Schedule::Rate(minutes) => of_rate(*minutes).ok_or(Inexact::Rate),
        Schedule::Cron(_) => of_cron(text),
    }
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn of_rate(minutes: i64) -> Option<String> {
    let divides = |part: i64, whole: i64| part > 0 && whole % part == 0;
    let every = |number: i64| match number {
        1 => "*".to_owned(),
        number => format!("*/{number}"),
    };
    if minutes == DAY {
        Some("0 0 * * *".to_owned())
    } else if minutes < HOUR && divides(minutes, HOUR) {
        Some(format!("{} * * * *", every(minutes)))
    } else if minutes < DAY && divides(HOUR, minutes) && divides(minutes, DAY) {
        Some(format!("0 {} * * *", every(minutes / HOUR)))
    } else {
        None
    }
}

fn of_cron(text: &str) -> Result<String, Inexact> {
    // The text has been parsed, so none of this fails.
    let [minutes, hours, day_of_month, month, day_of_week, year] =
        scheduler_fields(text).unwrap_or_default();
    if YEAR.values(&year) != YEAR.values("*") {
        return Err(Inexact::Years);
    }
    if day_of_month.contains(['L', 'W']) || day_of_week.contains(['L', '#']) {
        return Err(Inexact::Days);
    }
    let line = |field: &Field, text: &str, less: i16| match text {
        "?" => Ok("*".to_owned()),
        text => field.crontab(text, less).map_err(|_| Inexact::Days),
    };
    let fields = [
        line(&MINUTES, &minutes, 0)?,
        line(&HOURS, &hours, 0)?,
        line(&DAY_OF_MONTH, &day_of_month, 0)?,
        line(&MONTH, &month, 0)?,
        line(&DAY_OF_WEEK, &day_of_week, 1)?,
    ];
    Ok(fields.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String, Inexact> {
        let schedule = Schedule::of_scheduler(text).unwrap();
        crontab(&schedule, text)
    }

    /// Reads one field as the library of CronJobs does (`robfig/cron`).
    fn values(text: &str, min: i16, max: i16, names: &[&str]) -> Vec<i16> {
        let number = |text: &str| -> i16 {
            let name = names.iter().position(|name| *name == text);
            let number = name.map_or_else(
                || text.parse().unwrap(),
                |at| i16::try_from(at).unwrap() + min,
            );
            assert!((min..=max).contains(&number), "{text}");
            number
        };
        let mut found = Vec::new();
        for part in text.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first), number(last)),
                None if range == "*" => (min, max),
                None => (number(range), number(range)),
            };
            assert!(first <= last, "{part} runs backwards");
            found.extend((first..=last).step_by(step.parse().unwrap()));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether a crontab line has the same values as the fields of AWS.
    fn is_same(expression: &str, line: &str) -> bool {
        const MONTHS: &[&str] = &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ];
        const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
        let theirs = scheduler_fields(expression).unwrap();
        let ours: Vec<&str> = line.split(' ').collect();
        assert_eq!(ours.len(), 5, "{line}");
        let fields = [
            (&MINUTES, 0, 59, &[][..], 0),
            (&HOURS, 0, 23, &[], 0),
            (&DAY_OF_MONTH, 1, 31, &[], 0),
            (&MONTH, 1, 12, MONTHS, 0),
            (&DAY_OF_WEEK, 0, 6, DAYS, 1),
        ];
        let mut fields = fields.into_iter().zip(theirs.iter().zip(ours));
        fields.all(|((field, min, max, names, less), (theirs, ours))| {
            let theirs = if theirs == "?" { "*" } else { theirs };
            let expected = field.values(theirs).unwrap();
            let expected: Vec<i16> = expected.from(0).map(|value| value - less).collect();
            expected == values(ours, min, max, names)
        })
    }

    #[test]
    fn lines_mean_what_the_fields_of_aws_mean() {
        for (expression, expected) in [
            ("cron(0 10 * * ? *)", "0 10 * * *"),
            ("cron(0 18 ? * MON-FRI *)", "0 18 * * MON-FRI"),
            ("cron(0/15 * * * ? *)", "0-59/15 * * * *"),
            ("cron(0/10 * ? * MON-FRI *)", "0-59/10 * * * MON-FRI"),
            ("cron(0/5 8-17 ? * mon-fri *)", "0-59/5 8-17 * * MON-FRI"),
            ("cron(0/30 20-2 ? * 2-6 *)", "0-59/30 20-23,0-2 * * 1-5"),
            ("cron(0 0 29 2 ? *)", "0 0 29 2 *"),
            ("cron(5,35 14 * * ? *)", "5,35 14 * * *"),
            ("cron(0 12 1,15 JAN,JUL ? *)", "0 12 1,15 JAN,JUL *"),
            ("cron(1/10 11 * * ? *)", "1-59/10 11 * * *"),
            ("cron(0 6 ? * 1,7 *)", "0 6 * * 0,6"),
            ("cron(0 0 1 1/3 ? *)", "0 0 1 1-12/3 *"),
            ("cron(0 22 ? * FRI-MON *)", "0 22 * * 5-6,0-1"),
            ("cron(10 7/6 * * ? *)", "10 7-23/6 * * *"),
            ("cron(*/20 21-2/2 * * ? *)", "*/20 1,21,23 * * *"),
            ("cron(0 3 * NOV-FEB ? 1970-2199)", "0 3 * 11-12,1-2 *"),
            ("cron(0 3 ? * * )", "0 3 * * *"),
        ] {
            let found = line(expression);
            assert_eq!(found.as_deref(), Ok(expected), "{expression}");
            assert!(is_same(expression, expected), "{expression}");
        }
    }

    #[test]
    fn what_a_line_cannot_say_has_none() {
        for (expression, expected) in [
            ("at(2026-01-15T10:30:00)", Inexact::Once),
            ("cron(0 9 L * ? *)", Inexact::Days),
            ("cron(0 9 3W * ? *)", Inexact::Days),
            ("cron(0 9 LW * ? *)", Inexact::Days),
            ("cron(0 10 ? * 3#2 *)", Inexact::Days),
            ("cron(0 10 ? * FRIL *)", Inexact::Days),
            ("cron(0 0 ? * L *)", Inexact::Days),
            ("cron(15 10 ? * 6 2026-2027)", Inexact::Years),
            ("rate(7 minutes)", Inexact::Rate),
            ("rate(90 minutes)", Inexact::Rate),
            ("rate(5 hours)", Inexact::Rate),
            ("rate(2 days)", Inexact::Rate),
        ] {
            assert_eq!(line(expression), Err(expected), "{expression}");
        }
    }

    #[test]
    fn rates_that_begin_anew_are_lines() {
        for (expression, expected) in [
            ("rate(1 minute)", "* * * * *"),
            ("rate(1 minutes)", "* * * * *"),
            ("rate(20 minutes)", "*/20 * * * *"),
            ("rate(60 minutes)", "0 * * * *"),
            ("rate(1 hour)", "0 * * * *"),
            ("rate(120 minutes)", "0 */2 * * *"),
            ("rate(12 hours)", "0 */12 * * *"),
            ("rate(24 hours)", "0 0 * * *"),
            ("rate(1 day)", "0 0 * * *"),
        ] {
            assert_eq!(line(expression).as_deref(), Ok(expected), "{expression}");
        }
    }
}
