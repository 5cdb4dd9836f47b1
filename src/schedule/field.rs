//! One field of a cron expression.

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field: its name, its values, and what it allows.
pub(super) struct Field {
    name: &'static str,
    min: i16,
    max: i16,
    names: &'static [&'static str],
    /// Whether a range may wrap around the end of the field (`FRI-MON`).
    wraps: bool,
    /// Whether `a/n` is allowed.
    steps: bool,
}

impl Field {
    const fn numbers(name: &'static str, min: i16, max: i16) -> Self {
        Self {
            name,
            min,
            max,
            names: &[],
            wraps: true,
            steps: true,
        }
    }
}

pub(super) const MINUTES: Field = Field::numbers("minutes", 0, 59);
pub(super) const HOURS: Field = Field::numbers("hours", 0, 23);
pub(super) const DAY_OF_MONTH: Field = Field::numbers("day-of-month", 1, 31);
pub(super) const MONTH: Field = Field {
    names: &MONTHS,
    ..Field::numbers("month", 1, 12)
};
/// 1 is Sunday.
pub(super) const DAY_OF_WEEK: Field = Field {
    names: &DAYS,
    steps: false,
    ..Field::numbers("day-of-week", 1, 7)
};
pub(super) const YEAR: Field = Field {
    wraps: false,
    ..Field::numbers("year", 1970, 2199)
};

/// The values that a field matches, ascending and each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values(Vec<i16>);

impl Values {
    pub(super) fn contains(&self, value: i16) -> bool {
        self.0.binary_search(&value).is_ok()
    }

    /// Returns the values from this one on.
    pub(super) fn from(&self, value: i16) -> impl Iterator<Item = i16> {
        let values = self.0.iter().copied();
        values.skip_while(move |it| *it < value)
    }
}

impl Field {
    /// Returns the values of a list of `*`, values, ranges and steps.
    pub(super) fn values(&self, text: &str) -> Result<Values, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            self.part(part, &mut values)?;
        }
        values.sort_unstable();
        values.dedup();
        Ok(Values(values))
    }

    /// Adds the values of one part of a list. A step counts from the first value of its range, also across its wrap, and
    /// without a range to the end of the field.
    fn part(&self, part: &str, values: &mut Vec<i16>) -> Result<(), String> {
        let (range, step) = match part.split_once('/') {
            Some(_) if !self.steps => return Err(format!("{}: / is not allowed", self.name)),
            Some((range, step)) => {
                let step = step.parse::<u16>().ok().filter(|step| *step > 0);
                let step = step.ok_or_else(|| format!("{}: {part:?} has no step", self.name))?;
                (range, Some(usize::from(step)))
            }
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let first = self.number(range)?;
                (first, if step.is_some() { self.max } else { first })
            }
        };
        let step = step.unwrap_or(1);
        if first <= last {
            values.extend((first..=last).step_by(step));
        } else if self.wraps {
            let around = (first..=self.max).chain(self.min..=last);
            values.extend(around.step_by(step));
        } else {
            return Err(format!("{}: {part} runs backwards", self.name));
        }
        Ok(())
    }

    /// Returns a text whose values [`Self::values`] returns, as a field of a crontab line. Numbers there are `less` than
    /// those of AWS.
    ///
    /// # Errors
    ///
    /// When it is no field.
    pub(super) fn crontab(&self, text: &str, less: i16) -> Result<String, String> {
        let parts: Result<Vec<_>, _> = text.split(',').map(|it| self.line_of(it, less)).collect();
        Ok(parts?.join(","))
    }

    /// Returns one part of a list in a crontab line, where a range does not run backwards.
    fn line_of(&self, part: &str, less: i16) -> Result<String, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let value = |text: &str| {
            let number = self.number(text)? - less;
            // A name stays.
            let is_name = self.names.contains(&text);
            Ok::<_, String>(if is_name {
                text.to_owned()
            } else {
                number.to_string()
            })
        };
        let (min, max) = (self.min - less, self.max - less);
        let line = match (range.split_once('-'), step) {
            (None, _) if range == "*" => "*".to_owned(),
            (None, None) => value(range)?,
            (None, Some(_)) => format!("{}-{max}", value(range)?),
            (Some((first, last)), _) if self.number(first)? <= self.number(last)? => {
                format!("{}-{}", value(first)?, value(last)?)
            }
            (Some((first, last)), None) => {
                let (first, last) = (self.number(first)? - less, self.number(last)? - less);
                return Ok(format!("{first}-{max},{min}-{last}"));
            }
            // The step goes on across the wrap.
            (Some(_), Some(_)) => {
                let values = self.values(part)?;
                let values: Vec<String> =
                    values.0.iter().map(|it| (it - less).to_string()).collect();
                return Ok(values.join(","));
            }
        };
        Ok(match step {
            Some(step) => format!("{line}/{step}"),
            None => line,
        })
    }

    /// Returns the number that a text says, or the name of one.
    pub(super) fn number(&self, text: &str) -> Result<i16, String> {
        let mut named = self.names.iter().zip(self.min..);
        let named = named.find(|(name, _)| **name == text);
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
