//! Which minute of CloudWatch each point stands for.

/// For how many seconds a minute has to be over before it is read: metrics arrive late.
const SETTLED: i64 = 90;
/// How many minutes early or late a measurement may be without another one being left out or read twice.
const JITTER: i64 = 1;
/// For how many minutes values are accepted after the first try.
pub(super) const LATE: i64 = 8;

/// Counts the minutes: one for each measurement, and none twice, although the clock of the measurements and that of
/// CloudWatch are not the same.
#[derive(Clone, Debug, Default)]
pub(in crate::controller::readings) struct Minutes {
    last: Option<i64>,
    /// The first minute after which none has been left out.
    first: i64,
}

/// The minutes of one measurement, in minutes since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller::readings) struct Window {
    /// The first one for which a value may still arrive.
    pub(super) first: i64,
    /// The one that is measured.
    pub(super) newest: i64,
}

impl Minutes {
    /// Returns the minutes of the next measurement, given the seconds since 1970; `None` while the clock is before what has
    /// been read.
    pub(in crate::controller::readings) fn next(&mut self, now: i64) -> Option<Window> {
        let settled = (now - SETTLED).div_euclid(60) - 1;
        let expected = self.last.map_or(settled, |last| last + 1);
        let ahead = expected - settled;
        if (JITTER + 1..=LATE).contains(&ahead) {
            self.first = expected;
            return None;
        }
        let newest = if ahead.abs() <= JITTER {
            expected
        } else {
            settled
        };
        if self.last.is_none_or(|last| last + 1 != newest) {
            self.first = newest;
        }
        self.last = Some(newest);
        let first = self.first.max(newest - LATE);
        Some(Window { first, newest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time in the middle of a minute.
    const NOON: i64 = 1_764_374_400 + 30;
    const MINUTE: i64 = NOON / 60;

    fn newest(minutes: &mut Minutes, now: i64) -> Option<i64> {
        minutes.next(now).map(|window| window.newest - MINUTE)
    }

    #[test]
    fn a_minute_is_over_for_a_while_before_it_is_read() {
        for (second, expected) in [(0, -2), (29, -2), (-30, -3), (59, -2), (60, -1)] {
            let found = newest(&mut Minutes::default(), NOON + second);
            let end = (expected + MINUTE + 1) * 60;
            assert_eq!(found, Some(expected), "{second}");
            assert!((SETTLED..SETTLED + 60).contains(&(NOON + second - end)));
        }
    }

    #[test]
    fn each_minute_is_read_once_although_measurements_are_early_and_late() {
        let mut minutes = Minutes::default();
        let mut seen = Vec::new();
        for (index, jitter) in [0, -1, 1, 29, -31, 0, 31, 0].into_iter().enumerate() {
            let index = i64::try_from(index).expect("there are few");
            seen.extend(newest(&mut minutes, NOON + index * 60 + jitter));
        }
        assert_eq!(seen, (-2..6).collect::<Vec<_>>());
    }

    #[test]
    fn what_has_been_left_out_is_not_made_up_for() {
        let mut minutes = Minutes::default();
        for index in 0..20 {
            let window = minutes.next(NOON + index * 60).expect("the clock goes on");
            assert_eq!(window.newest - window.first, index.min(LATE));
        }
        // The machine has slept.
        let window = minutes.next(NOON + 3600).expect("the clock goes on");
        assert_eq!((window.newest - MINUTE, window.first), (58, window.newest));
    }

    #[test]
    fn a_clock_that_goes_back_reads_nothing_twice() {
        let mut minutes = Minutes::default();
        for index in 0..5 {
            minutes.next(NOON + index * 60);
        }
        let mut seen = Vec::new();
        for index in 0..5 {
            seen.push(newest(&mut minutes, NOON + 120 + index * 60));
        }
        assert_eq!(seen, [None, None, Some(3), Some(4), Some(5)]);
        let window = minutes.next(NOON + 420).expect("it is settled");
        assert_eq!(
            window.first - MINUTE,
            3,
            "those before have lost their points"
        );
        // It was wrong by hours: there was nothing to read.
        assert_eq!(newest(&mut minutes, NOON - 7200), Some(-122));
    }
}
