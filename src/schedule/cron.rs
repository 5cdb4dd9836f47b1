//! `cron(...)`: six fields, with `L`, `W` and `#` for days.

use jiff::civil::{Date, DateTime, Weekday};

use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOURS, MINUTES, MONTH, Values, YEAR};

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Values,
    hours: Values,
    days: Days,
    months: Values,
    years: Values,
}

/// On which days of a month it fires.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// On these days of the month.
    OfMonth(Values),
    /// On the last day of the month.
    Last,
    /// On the last day from Monday to Friday of the month.
    LastWeekday,
    /// On the day from Monday to Friday of the same month that is nearest to this day; never in a month without it.
    NearestWeekday(i8),
    /// On these days of the week; 1 is Sunday.
    OfWeek(Values),
    /// On the last such day of the week in the month.
    LastOfWeek(Weekday),
    /// On this occurrence of a day of the week in the month; never in a month without it.
    Nth(Weekday, i8),
}

impl Cron {
    pub(super) fn parse(body: &str) -> Result<Self, String> {
        let fields: Vec<String> = body
            .split_whitespace()
            .map(str::to_ascii_uppercase)
            .collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        // A seventh field at the beginning contains seconds, which AWS ignores.
        let (minutes, hours, day_of_month, month, day_of_week, year) = match fields.as_slice() {
            [minutes, hours, dom, month, dow, year]
            | [_, minutes, hours, dom, month, dow, year] => {
                (*minutes, *hours, *dom, *month, *dow, *year)
            }
            _ => return Err(format!("cron() takes 6 fields, not {}", fields.len())),
        };
        Ok(Self {
            minutes: MINUTES.values(minutes)?,
            hours: HOURS.values(hours)?,
            months: MONTH.values(month)?,
            years: YEAR.values(year)?,
            days: match (day_of_month, day_of_week) {
                ("?", "?") => {
                    return Err("one of day-of-month and day-of-week must say a day".to_owned());
                }
                ("?", dow) => Days::of_week(dow)?,
                (dom, "?" | "*") => Days::of_month(dom)?,
                ("*", dow) => Days::of_week(dow)?,
                _ => return Err("one of day-of-month and day-of-week must be ?".to_owned()),
            },
        })
    }

    /// Returns the local times that match from this one on, ascending.
    pub(super) fn matches(&self, from: DateTime) -> impl Iterator<Item = DateTime> {
        self.dates(from.date()).flat_map(move |date| {
            let first = if date == from.date() { from.hour() } else { 0 };
            let hours = self.hours.from(first.into());
            hours.flat_map(move |hour| {
                let is_first = date == from.date() && hour == i16::from(from.hour());
                let minutes = self
                    .minutes
                    .from(if is_first { from.minute().into() } else { 0 });
                // The fields have only hours and minutes that exist.
                minutes.filter_map(move |minute| {
                    let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
                    Some(date.at(hour, minute, 0, 0))
                })
            })
        })
    }

    /// Returns the dates that match from this one on, ascending.
    fn dates(&self, from: Date) -> impl Iterator<Item = Date> {
        let years = self.years.from(from.year());
        let months = years.flat_map(move |year| {
            let first = if year == from.year() { from.month() } else { 1 };
            let months = self.months.from(first.into());
            months.filter_map(move |month| Date::new(year, i8::try_from(month).ok()?, 1).ok())
        });
        months
            .flat_map(|month| self.days.in_month(month))
            .filter(move |date| *date >= from)
    }
}

impl Days {
    fn of_month(text: &str) -> Result<Self, String> {
        if let Some(day) = text.strip_suffix('W').filter(|day| *day != "L") {
            return Ok(Self::NearestWeekday(small(&DAY_OF_MONTH, day)?));
        }
        Ok(match text {
            "L" => Self::Last,
            "LW" => Self::LastWeekday,
            _ => Self::OfMonth(DAY_OF_MONTH.values(text)?),
        })
    }

    fn of_week(text: &str) -> Result<Self, String> {
        if let Some((day, nth)) = text.split_once('#') {
            let day = weekday(day)?;
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth));
            let nth = nth.ok_or_else(|| format!("day-of-week: {text:?} has no 1 to 5 after #"))?;
            return Ok(Self::Nth(day, nth));
        }
        match text.strip_suffix('L') {
            // Every Saturday, the last day of a week.
            Some("") => Ok(Self::OfWeek(DAY_OF_WEEK.values("SAT")?)),
            Some(day) => Ok(Self::LastOfWeek(weekday(day)?)),
            None => Ok(Self::OfWeek(DAY_OF_WEEK.values(text)?)),
        }
    }

    /// Returns the days of a month that match.
    fn in_month(&self, first: Date) -> Vec<Date> {
        let last = first.last_of_month();
        let days = || first.series(jiff::Span::new().days(1));
        let days = || days().take_while(|date| *date <= last);
        match self {
            Self::OfMonth(values) => days()
                .filter(|it| values.contains(it.day().into()))
                .collect(),
            Self::OfWeek(values) => days().filter(|it| values.contains(number(*it))).collect(),
            Self::Last => vec![last],
            Self::LastWeekday => nearest_weekday(last).into_iter().collect(),
            Self::NearestWeekday(day) => {
                let date = Date::new(first.year(), first.month(), *day).ok();
                date.and_then(nearest_weekday).into_iter().collect()
            }
            Self::LastOfWeek(day) => first.nth_weekday_of_month(-1, *day).into_iter().collect(),
            Self::Nth(day, nth) => first.nth_weekday_of_month(*nth, *day).into_iter().collect(),
        }
    }
}

/// Returns the day from Monday to Friday of the same month that is nearest to a date.
fn nearest_weekday(date: Date) -> Option<Date> {
    let days = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if date == date.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    date.checked_add(jiff::Span::new().days(days)).ok()
}

/// Returns the number of a date's day of the week; 1 is Sunday.
fn number(date: Date) -> i16 {
    date.weekday().to_sunday_one_offset().into()
}

fn weekday(text: &str) -> Result<Weekday, String> {
    let number = small(&DAY_OF_WEEK, text)?;
    Weekday::from_sunday_one_offset(number).map_err(|error| error.to_string())
}

fn small(field: &Field, text: &str) -> Result<i8, String> {
    i8::try_from(field.number(text)?).map_err(|error| error.to_string())
}
