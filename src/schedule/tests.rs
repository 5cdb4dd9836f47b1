//! When schedules fire, by tables that were checked with several independent evaluators.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Recurrence, Schedule, zone};

fn moment(text: &str) -> Timestamp {
    let padded = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    padded.parse().expect("it is a moment")
}

fn recurrence(schedule: &str, zone_name: &str) -> Recurrence {
    Recurrence {
        schedule: Schedule::parse(schedule).expect("it is a schedule"),
        zone: zone(zone_name).expect("it is a time zone"),
        anchor: moment("2026-01-15T10:30"),
        start: None,
        end: None,
    }
}

/// Returns the first firings after a moment.
fn firings(of: &Recurrence, after: &str, most: usize) -> Vec<Timestamp> {
    let first = of.next_after(moment(after));
    std::iter::successors(first, |last| of.next_after(*last))
        .take(most)
        .collect()
}

/// Expects these firings after a moment; fewer than three are all there are.
#[track_caller]
fn expect(cron: &str, zone: &str, after: &str, expected: &[&str]) {
    let of = recurrence(&format!("cron({cron})"), zone);
    let most = if expected.len() < 3 {
        3
    } else {
        expected.len()
    };
    let expected: Vec<_> = expected.iter().map(|text| moment(text)).collect();
    assert_eq!(firings(&of, after, most), expected, "{cron} {zone}");
}

/// 2026-01-15 is a Thursday.
const AFTER: &str = "2026-01-15T10:30";

#[test]
fn each_form_of_a_field_fires_when_aws_does() {
    for (cron, expected) in [
        (
            "0 10 * * ? *",
            ["2026-01-16T10:00", "2026-01-17T10:00", "2026-01-18T10:00"],
        ),
        (
            "15 12 * * ? *",
            ["2026-01-15T12:15", "2026-01-16T12:15", "2026-01-17T12:15"],
        ),
        (
            "0 18 ? * MON-FRI *",
            ["2026-01-15T18:00", "2026-01-16T18:00", "2026-01-19T18:00"],
        ),
        (
            "0 8 1 * ? *",
            ["2026-02-01T08:00", "2026-03-01T08:00", "2026-04-01T08:00"],
        ),
        (
            "0/15 * * * ? *",
            ["2026-01-15T10:45", "2026-01-15T11:00", "2026-01-15T11:15"],
        ),
        (
            "0/10 * ? * MON-FRI *",
            ["2026-01-15T10:40", "2026-01-15T10:50", "2026-01-15T11:00"],
        ),
        (
            "0/5 8-17 ? * MON-FRI *",
            ["2026-01-15T10:35", "2026-01-15T10:40", "2026-01-15T10:45"],
        ),
        (
            "0/30 20-2 ? * MON-FRI *",
            ["2026-01-15T20:00", "2026-01-15T20:30", "2026-01-15T21:00"],
        ),
        (
            "0 9 L * ? *",
            ["2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00"],
        ),
        (
            "0 9 3W * ? *",
            ["2026-02-03T09:00", "2026-03-03T09:00", "2026-04-03T09:00"],
        ),
        (
            "0 9 1W * ? *",
            ["2026-02-02T09:00", "2026-03-02T09:00", "2026-04-01T09:00"],
        ),
        (
            "0 9 31W * ? *",
            ["2026-01-30T09:00", "2026-03-31T09:00", "2026-05-29T09:00"],
        ),
        (
            "0 9 LW * ? *",
            ["2026-01-30T09:00", "2026-02-27T09:00", "2026-03-31T09:00"],
        ),
        (
            "0 10 ? * 3#2 *",
            ["2026-02-10T10:00", "2026-03-10T10:00", "2026-04-14T10:00"],
        ),
        (
            "0 10 ? * 2#5 *",
            ["2026-03-30T10:00", "2026-06-29T10:00", "2026-08-31T10:00"],
        ),
        (
            "15 10 ? * 6L 2026-2027",
            ["2026-01-30T10:15", "2026-02-27T10:15", "2026-03-27T10:15"],
        ),
        (
            "0 0 ? * L *",
            ["2026-01-17T00:00", "2026-01-24T00:00", "2026-01-31T00:00"],
        ),
        (
            "0 0 29 2 ? *",
            ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"],
        ),
        (
            "5,35 14 * * ? *",
            ["2026-01-15T14:05", "2026-01-15T14:35", "2026-01-16T14:05"],
        ),
        (
            "0 12 1,15 JAN,JUL ? *",
            ["2026-01-15T12:00", "2026-07-01T12:00", "2026-07-15T12:00"],
        ),
        (
            "1/10 11 * * ? *",
            ["2026-01-15T11:01", "2026-01-15T11:11", "2026-01-15T11:21"],
        ),
        (
            "*/20 6 * * ? 2027",
            ["2027-01-01T06:00", "2027-01-01T06:20", "2027-01-01T06:40"],
        ),
        (
            "0 6 ? * 1,7 *",
            ["2026-01-17T06:00", "2026-01-18T06:00", "2026-01-24T06:00"],
        ),
        (
            "30 4 31 * ? *",
            ["2026-01-31T04:30", "2026-03-31T04:30", "2026-05-31T04:30"],
        ),
        (
            "0 0 1 1/3 ? *",
            ["2026-04-01T00:00", "2026-07-01T00:00", "2026-10-01T00:00"],
        ),
        (
            "59 23 31 12 ? *",
            ["2026-12-31T23:59", "2027-12-31T23:59", "2028-12-31T23:59"],
        ),
        (
            "0 22 ? * FRI-MON *",
            ["2026-01-16T22:00", "2026-01-17T22:00", "2026-01-18T22:00"],
        ),
        (
            "0 3 28-31 FEB ? *",
            ["2026-02-28T03:00", "2027-02-28T03:00", "2028-02-28T03:00"],
        ),
        (
            "0 9 15W * ? *",
            ["2026-02-16T09:00", "2026-03-16T09:00", "2026-04-15T09:00"],
        ),
        (
            "10 7/6 * * ? *",
            ["2026-01-15T13:10", "2026-01-15T19:10", "2026-01-16T07:10"],
        ),
        (
            "0 12 ? JAN-MAR MON-FRI *",
            ["2026-01-15T12:00", "2026-01-16T12:00", "2026-01-19T12:00"],
        ),
        (
            "0 6 L 2 ? *",
            ["2026-02-28T06:00", "2027-02-28T06:00", "2028-02-29T06:00"],
        ),
        (
            "30 6 ? * 2 *",
            ["2026-01-19T06:30", "2026-01-26T06:30", "2026-02-02T06:30"],
        ),
        ("0 0 ? * 7L *", ["2026-01-31", "2026-02-28", "2026-03-28"]),
        (
            "0 0 ? * SUN#1 *",
            ["2026-02-01", "2026-03-01", "2026-04-05"],
        ),
        (
            "0 0 ? 11 THU#4 *",
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
        (
            "0/7 9 * * ? *",
            ["2026-01-16T09:00", "2026-01-16T09:07", "2026-01-16T09:14"],
        ),
        (
            "5-20/5 10 * * ? *",
            ["2026-01-16T10:05", "2026-01-16T10:10", "2026-01-16T10:15"],
        ),
        (
            "0 0-23/6 * * ? *",
            ["2026-01-15T12:00", "2026-01-15T18:00", "2026-01-16T00:00"],
        ),
        (
            "0 22-4/2 * * ? *",
            ["2026-01-15T22:00", "2026-01-16T00:00", "2026-01-16T02:00"],
        ),
        ("0 0 28-3 * ? *", ["2026-01-28", "2026-01-29", "2026-01-30"]),
        (
            "0 0 10/10 * ? *",
            ["2026-01-20", "2026-01-30", "2026-02-10"],
        ),
        ("0 0 */10 * ? *", ["2026-01-21", "2026-01-31", "2026-02-01"]),
        (
            "0 9 30W * ? *",
            ["2026-01-30T09:00", "2026-03-30T09:00", "2026-04-30T09:00"],
        ),
        (
            "0 9 28W 2 ? *",
            ["2026-02-27T09:00", "2027-02-26T09:00", "2028-02-28T09:00"],
        ),
        (
            "0 9 ? * 6#5 *",
            ["2026-01-30T09:00", "2026-05-29T09:00", "2026-07-31T09:00"],
        ),
        (
            "0 9 ? DEC-FEB SUN *",
            ["2026-01-18T09:00", "2026-01-25T09:00", "2026-02-01T09:00"],
        ),
        ("0 0 1 */4 ? *", ["2026-05-01", "2026-09-01", "2027-01-01"]),
        ("0 0 1 2/5 ? *", ["2026-02-01", "2026-07-01", "2026-12-01"]),
        (
            "0 0 ? 1 2-6 2027/2",
            ["2027-01-01", "2027-01-04", "2027-01-05"],
        ),
        (
            "0 8 1W 8 ? *",
            ["2026-08-03T08:00", "2027-08-02T08:00", "2028-08-01T08:00"],
        ),
        // Application Auto Scaling takes * for ?, and a field of seconds that it ignores.
        (
            "30 6 * * 2 *",
            ["2026-01-19T06:30", "2026-01-26T06:30", "2026-02-02T06:30"],
        ),
        (
            "7 30 6 * * ? *",
            ["2026-01-16T06:30", "2026-01-17T06:30", "2026-01-18T06:30"],
        ),
    ] {
        expect(cron, "UTC", AFTER, &expected);
    }
}

#[test]
fn what_is_over_or_does_not_exist_never_fires() {
    for (cron, expected) in [
        ("0 0 1 1 ? 2027", &["2027-01-01"][..]),
        ("0 0 29 2 ? 2027-2031", &["2028-02-29"]),
        ("0 10 31 4,6,9,11 ? *", &[]),
        ("0 10 * * ? 2025", &[]),
    ] {
        expect(cron, "UTC", AFTER, expected);
    }
}

#[test]
fn a_range_of_minutes_wraps_within_its_hour() {
    let of = recurrence("cron(55-5 0 * * ? *)", "UTC");
    let minutes: Vec<i8> = firings(&of, AFTER, 12)
        .iter()
        .map(|firing| TimeZone::UTC.to_datetime(*firing).minute())
        .collect();
    assert_eq!(minutes, [0, 1, 2, 3, 4, 5, 55, 56, 57, 58, 59, 0]);
}

#[test]
fn local_times_that_do_not_exist_are_skipped_and_repeated_ones_fire_once() {
    for (cron, zone, after, expected) in [
        (
            "30 2 * * ? *",
            "America/New_York",
            "2026-03-06T12:00",
            &["2026-03-07T07:30", "2026-03-09T06:30", "2026-03-10T06:30"][..],
        ),
        (
            "30 1 * * ? *",
            "America/New_York",
            "2026-10-30T12:00",
            &["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"],
        ),
        (
            "0 9 ? * MON *",
            "Europe/Berlin",
            "2026-03-20",
            &["2026-03-23T08:00", "2026-03-30T07:00", "2026-04-06T07:00"],
        ),
        (
            "0 0 1 * ? *",
            "Asia/Tokyo",
            AFTER,
            &["2026-01-31T15:00", "2026-02-28T15:00", "2026-03-31T15:00"],
        ),
        (
            "0/30 1-2 8 3 ? 2026",
            "America/New_York",
            AFTER,
            &["2026-03-08T06:00", "2026-03-08T06:30"],
        ),
        (
            "0 2 L * ? *",
            "Australia/Lord_Howe",
            "2026-09-01",
            &["2026-09-29T15:30", "2026-10-30T15:00", "2026-11-29T15:00"],
        ),
        (
            "30 2 * * ? *",
            "Europe/Berlin",
            "2026-03-27T12:00",
            &["2026-03-28T01:30", "2026-03-30T00:30", "2026-03-31T00:30"],
        ),
        (
            "30 2 * * ? *",
            "Europe/Berlin",
            "2026-10-23T12:00",
            &["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"],
        ),
        (
            "0 0 * * ? *",
            "America/Sao_Paulo",
            AFTER,
            &["2026-01-16T03:00", "2026-01-17T03:00", "2026-01-18T03:00"],
        ),
        // Midnight of the last Friday in April is in the gap.
        ("0 0 ? 4 6L *", "Africa/Cairo", AFTER, &[]),
        (
            "15 1 ? 10 1L *",
            "Europe/London",
            AFTER,
            &["2026-10-25T00:15", "2027-10-31T00:15", "2028-10-29T00:15"],
        ),
        // Only half an hour is repeated.
        (
            "45 1 ? 4 1#1 *",
            "Australia/Lord_Howe",
            AFTER,
            &["2026-04-04T14:45", "2027-04-03T14:45", "2028-04-01T14:45"],
        ),
        (
            "0 0/6 * * ? *",
            "America/New_York",
            "2026-03-07T22:00",
            &["2026-03-07T23:00", "2026-03-08T05:00", "2026-03-08T10:00"],
        ),
        (
            "59 23 28-31 12 ? *",
            "Pacific/Apia",
            AFTER,
            &["2026-12-28T10:59", "2026-12-29T10:59", "2026-12-30T10:59"],
        ),
    ] {
        expect(cron, zone, after, expected);
    }
}

#[test]
fn a_repeated_hour_fires_once_wherever_the_search_begins() {
    let of = recurrence("cron(0/10 * * * ? *)", "Europe/Berlin");
    // 02:00 to 03:00 happens twice, at 00:00 and at 01:00 UTC.
    for (after, next) in [
        ("2026-10-25T00:45", "2026-10-25T00:50"),
        ("2026-10-25T00:50", "2026-10-25T02:00"),
        ("2026-10-25T01:20", "2026-10-25T02:00"),
    ] {
        assert_eq!(of.next_after(moment(after)), Some(moment(next)), "{after}");
    }
}

#[test]
fn rates_count_from_their_anchor() {
    let mut of = recurrence("rate(5 minutes)", "UTC");
    of.anchor = moment("2026-01-15T10:00");
    let expected = ["2026-01-15T10:35", "2026-01-15T10:40", "2026-01-15T10:45"].map(moment);
    assert_eq!(firings(&of, AFTER, 3), expected);

    let mut of = recurrence("rate(5 hours)", "UTC");
    let start = moment("2021-01-30T12:00");
    (of.anchor, of.start, of.end) = (start, Some(start), Some(moment("2021-01-31T22:00")));
    let hours: Vec<i64> = firings(&of, "2021-01-01", 99)
        .iter()
        .map(|firing| firing.duration_since(start).as_hours())
        .collect();
    assert_eq!(hours, [0, 5, 10, 15, 20, 25, 30]);

    let mut of = recurrence("rate(1 day)", "UTC");
    of.anchor = moment("2026-01-15T10:12:30Z");
    let first = of.next_after(of.anchor).expect("it fires");
    assert_eq!(first, moment("2026-01-16T10:12:30Z"));
}

#[test]
fn a_time_fires_once_in_its_zone_if_it_exists() {
    for (at, zone, expected) in [
        ("at(2026-03-08T02:30:00)", "America/New_York", None),
        (
            "at(2026-11-01T01:30:00)",
            "America/New_York",
            Some("2026-11-01T05:30"),
        ),
        (
            "at(2026-07-01T09:00:59)",
            "Europe/Berlin",
            Some("2026-07-01T07:00"),
        ),
        ("at(2026-01-15T10:30:00)", "UTC", None),
    ] {
        let expected: Vec<_> = expected.into_iter().map(moment).collect();
        assert_eq!(firings(&recurrence(at, zone), AFTER, 2), expected, "{at}");
    }
}

#[test]
fn the_limits_of_a_schedule_are_firings_too() {
    let mut of = recurrence("cron(0 10 * * ? *)", "UTC");
    of.start = Some(moment("2026-01-17T10:00"));
    of.end = Some(moment("2026-01-18T10:00"));
    let expected = ["2026-01-17T10:00", "2026-01-18T10:00"].map(moment);
    assert_eq!(firings(&of, AFTER, 9), expected);
}

#[test]
fn the_last_firing_of_a_time_is_the_newest_in_it() {
    let every = |schedule: &str| recurrence(schedule, "UTC");
    for (schedule, after, until, expected) in [
        (
            "cron(0 10 * * ? *)",
            "2026-01-10",
            "2026-01-15T10:30",
            Some("2026-01-15T10:00"),
        ),
        (
            "cron(0 10 * * ? *)",
            "2026-01-15T10:00",
            "2026-01-15T10:30",
            None,
        ),
        (
            "cron(0 10 * * ? *)",
            "2026-01-14T10:00",
            "2026-01-15T10:00",
            Some("2026-01-15T10:00"),
        ),
        (
            "cron(0 0 1 1 ? *)",
            "2020-01-01",
            "2026-07-01",
            Some("2026-01-01"),
        ),
        (
            "cron(0 0 1 1 ? 2021)",
            "2020-01-01",
            "2026-07-01",
            Some("2021-01-01"),
        ),
        ("cron(0 0 1 1 ? 2019)", "2020-01-01", "2026-07-01", None),
        (
            "rate(7 minutes)",
            "2026-01-15T10:30",
            "2026-01-15T10:50",
            Some("2026-01-15T10:44"),
        ),
        (
            "rate(7 minutes)",
            "2026-01-15T10:44",
            "2026-01-15T10:50",
            None,
        ),
        ("rate(7 minutes)", "2026-01-01", "2026-01-15T10:29", None),
        (
            "at(2026-01-15T10:20:00)",
            "2026-01-15T10:00",
            "2026-01-15T10:30",
            Some("2026-01-15T10:20"),
        ),
    ] {
        let last = every(schedule).last_between(moment(after), moment(until));
        assert_eq!(last, expected.map(moment), "{schedule} {after} {until}");
    }
}

#[test]
fn no_firing_lies_between_a_moment_and_its_next_firing() {
    // Each expression is compared with a search of every minute around a change of clocks.
    for (cron, name, from) in [
        ("17 2 * * ? *", "Europe/Berlin", "2026-03-25"),
        ("0/25 1-3 ? MAR,OCT SUN *", "Europe/Berlin", "2026-10-20"),
        ("30 0 * 4,9 ? *", "Africa/Cairo", "2026-04-20"),
        ("10 1-2 ? * 1#1 *", "Australia/Lord_Howe", "2026-04-01"),
        ("5 0-3 ? * 1 *", "America/New_York", "2026-10-28"),
    ] {
        let of = recurrence(&format!("cron({cron})"), name);
        let Schedule::Cron(fields) = &of.schedule else {
            unreachable!("it is one");
        };
        let mut expected = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for minutes in 0..10 * 1440 {
            let now = moment(from)
                .checked_add(SignedDuration::from_mins(minutes))
                .expect("it is a moment");
            let local = of.zone.to_datetime(now);
            let is_match = fields.matches(local).next() == Some(local);
            // The second time of a repeated hour does not count.
            if is_match && seen.insert(local) {
                expected.push(now);
            }
        }
        assert!(!expected.is_empty(), "{cron} {name}");
        let before = moment(from) - SignedDuration::from_mins(1);
        let found = firings(&of, &before.to_string(), expected.len());
        assert_eq!(found, expected, "{cron} {name}");
    }
}

#[test]
fn schedules_that_aws_takes_are_taken() {
    for schedule in [
        "CRON(0 10 * * ? *)",
        "cron( 0 10 * * ? * )",
        "rate(5 minutes)",
        "rate(1 hours)",
        "rate(1 hour)",
        "at(2026-03-08T02:30:00)",
    ] {
        assert!(Schedule::parse(schedule).is_ok(), "{schedule}");
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
        "cron(0/99999 10 * * ? *)",
        "cron(0 10 * 13 ? *)",
        "cron(a 10 * * ? *)",
        "cron(+5 10 * * ? *)",
        "cron(0 10 ? * MON/2 *)",
        "cron(0 10 32W * ? *)",
        "cron(0 10 L-3 * ? *)",
        "cron(0 10 * * ? 2027-2026)",
        "cron(0,, 10 * * ? *)",
        "rate(0 minutes)",
        "rate(5 hour)",
        "rate(1.5 hours)",
        "rate(1 week)",
        "rate(99999999999 days)",
        "at(2026-02-30T10:00:00)",
        "at(2026-01-15)",
        "every day",
        "crön(0 10 * * ? *)",
        "",
    ] {
        assert!(Schedule::parse(schedule).is_err(), "{schedule}");
    }
}

#[test]
fn zones_are_those_of_the_database() {
    assert!(zone("Etc/GMT+9").is_some() && zone("Pacific/Tahiti").is_some());
    assert!(zone("Europe/Atlantis").is_none() && zone("").is_none());
}

#[test]
fn only_what_is_due_in_a_repeated_hour_fires_twice_by_the_clock() {
    for (schedule, zone_name, expected) in [
        ("cron(30 1 * * ? *)", "America/New_York", true),
        ("cron(0 2 * * ? *)", "America/New_York", false),
        ("cron(59 0 * * ? *)", "America/New_York", false),
        ("cron(0/15 * * * ? *)", "America/New_York", true),
        ("cron(30 2 ? * SUN *)", "Europe/Berlin", true),
        ("cron(30 2 ? * MON *)", "Europe/Berlin", false),
        ("cron(30 2 1 * ? *)", "Europe/Berlin", false),
        ("cron(30 2 * 6 ? *)", "Europe/Berlin", false),
        ("cron(30 1 * * ? *)", "UTC", false),
        ("cron(30 1 * * ? *)", "Asia/Tokyo", false),
        ("rate(15 minutes)", "America/New_York", false),
    ] {
        let recurrence = recurrence(schedule, zone_name);
        let found = recurrence.fires_in_repeated_time(moment("2026-01-01T00:00:00Z"));
        assert_eq!(found, expected, "{schedule} {zone_name}");
    }
}

#[test]
fn the_rules_of_scheduler_are_stricter() {
    for (schedule, is_taken) in [
        ("cron(0 10 * * ? *)", true),
        ("cron(0 10 * * ?)", true),
        ("cron(0 10 ? * * *)", true),
        ("rate(1 minutes)", true),
        ("at(2026-03-08T02:30:00)", true),
        ("cron(0 10 * * * *)", false),
        ("cron(0 10 ? * ? *)", false),
        ("cron(0 0 10 * * ? *)", false),
        ("cron(0 10 *)", false),
        ("rate(5 hour)", false),
        ("", false),
    ] {
        let found = Schedule::of_scheduler(schedule);
        assert_eq!(found.is_ok(), is_taken, "{schedule}");
    }
}

#[test]
fn a_rule_takes_less_than_scheduler() {
    for (text, is_taken) in [
        ("rate(1 hour)", true),
        ("rate(1 hours)", false),
        ("rate(5 minutes)", true),
        ("rate(11 days)", true),
        ("cron(0 10 * * ? *)", true),
        ("cron(0 10 * * ?)", false),
        ("cron(0 10 * * * *)", false),
        ("at(2026-01-15T10:30:00)", false),
        ("0 10 * * *", false),
    ] {
        assert_eq!(Schedule::of_rule(text).is_ok(), is_taken, "{text}");
    }
}
