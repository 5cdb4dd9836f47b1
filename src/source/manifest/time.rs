//! Lengths of time as Go and Docker write them: `1m30s`, `250ms`.

/// The units, and how many seconds each has.
const UNITS: &[(&str, f64)] = &[
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
    ("us", 0.000_001),
    ("d", 86_400.0),
];

/// Returns a length of time in seconds (<https://pkg.go.dev/time#ParseDuration>). A number alone counts seconds.
pub(in crate::source) fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if let Ok(number) = rest.parse::<f64>() {
        return (number.is_finite() && number >= 0.0).then_some(number);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let all = after.len();
        let (unit, after) = after.split_at_checked(end.unwrap_or(all))?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum += number.parse::<f64>().ok()? * size;
        rest = after;
    }
    (sum.is_finite() && !text.trim().is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        let table = [
            ("10s", Some(10.0)),
            ("1m30s", Some(90.0)),
            ("1h", Some(3600.0)),
            ("250ms", Some(0.25)),
            ("1.5s", Some(1.5)),
            ("7", Some(7.0)),
            ("2d", Some(172_800.0)),
            ("", None),
            ("s", None),
            ("5 s", None),
            ("5x", None),
            ("-5", None),
            ("inf", None),
            ("1m2", None),
        ];
        for (text, expected) in table {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
