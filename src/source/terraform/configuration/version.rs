//! The versions of modules that a constraint or a tag allows
//! (<https://developer.hashicorp.com/terraform/language/expressions/version-constraints>).

/// A version: major, minor and patch.
type Version = [u32; 3];

/// The versions from the first up to the last, without the latter.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: Version,
    end: Version,
}

const ALL: Range = Range {
    first: [0; 3],
    end: [u32::MAX; 3],
};

/// Returns the last of some major versions that a constraint allows: 5 of 5, 6 and 7 for `>= 5.2, < 6.0`.
pub(super) fn last_allowed(constraint: &str, majors: &[u32]) -> Option<u32> {
    let allowed = constraint.split(',').try_fold(ALL, |allowed, clause| {
        let of_clause = range(clause.trim())?;
        Some(Range {
            first: allowed.first.max(of_clause.first),
            end: allowed.end.min(of_clause.end),
        })
    })?;
    let mut newest_first = majors.iter().rev().copied();
    newest_first.find(|major| {
        let first = allowed.first.max([*major, 0, 0]);
        first < allowed.end.min([major.saturating_add(1), 0, 0])
    })
}

/// Returns the major version of a tag in Git: `v5.12.1`, `refs/tags/5.12.1`. A branch and a commit have none.
pub(super) fn of_tag(reference: &str) -> Option<u32> {
    let name = reference.strip_prefix("refs/").unwrap_or(reference);
    let name = name.strip_prefix("tags/").unwrap_or(name);
    let number = name.strip_prefix('v').unwrap_or(name);
    // A commit may have digits only.
    let is_tag = number.len() < name.len() || number.contains('.');
    let ([major, ..], _) = parsed(number).filter(|_| is_tag)?;
    Some(major)
}

/// Returns the versions that a clause allows. That it leaves one out by `!=` changes no major version.
fn range(clause: &str) -> Option<Range> {
    let number = clause.trim_start_matches(['=', '!', '<', '>', '~']);
    let operator = clause.get(..clause.len().checked_sub(number.len())?)?;
    let (version, given) = parsed(number.trim_start())?;
    let first = version;
    let end = after(version, 2)?;
    let range = match operator {
        "" | "=" => Range { first, end },
        "!=" => ALL,
        ">" => Range { first: end, ..ALL },
        ">=" => Range { first, ..ALL },
        "<" => Range { end: first, ..ALL },
        "<=" => Range { end, ..ALL },
        // The last number that is given may be larger; if that is the major version, any later one is allowed.
        "~>" => match given.checked_sub(2) {
            Some(fixed) => Range {
                first,
                end: after(version, fixed)?,
            },
            None => Range { first, ..ALL },
        },
        _ => return None,
    };
    Some(range)
}

/// Returns the first version with a larger number at a place.
fn after(version: Version, place: usize) -> Option<Version> {
    let mut next = [0; 3];
    for (index, (next, number)) in next.iter_mut().zip(version).enumerate() {
        match index.cmp(&place) {
            std::cmp::Ordering::Less => *next = number,
            std::cmp::Ordering::Equal => *next = number.checked_add(1)?,
            std::cmp::Ordering::Greater => {}
        }
    }
    Some(next)
}

/// Returns a version, and how many of its numbers are given. What marks it as one before a release is left out.
fn parsed(text: &str) -> Option<(Version, usize)> {
    let number = text.split(['-', '+']).next()?;
    let mut version = [0; 3];
    let mut given = 0;
    for part in number.split('.') {
        *version.get_mut(given)? = part.parse().ok()?;
        given += 1;
    }
    Some((version, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_allow_the_last_of_the_known_versions() {
        for (constraint, expected) in [
            ("5", Some(5)),
            ("5.12.1", Some(5)),
            ("= 5.1", Some(5)),
            ("=6", Some(6)),
            ("!= 7.0.0", Some(7)),
            ("!= 6.1.0, < 7", Some(6)),
            ("> 5", Some(7)),
            ("> 5.12, < 6", Some(5)),
            ("> 5, <= 5", None),
            (">= 5", Some(7)),
            (">= 5.2, < 6.0", Some(5)),
            ("< 6.0, >= 5.2", Some(5)),
            ("< 6.0.1", Some(6)),
            ("< 6.0.0", Some(5)),
            ("<= 6", Some(6)),
            ("<= 6.0,>= 6.0", Some(6)),
            ("~> 5", Some(7)),
            ("~> 5.12", Some(5)),
            ("~> 5.12.1", Some(5)),
            ("~> 6.0, != 6.3", Some(6)),
            (">= 5.0, ~> 6.1", Some(6)),
            ("~> 7.0.0-beta1", Some(7)),
            ("~> 8.0", None),
            (">= 9.0, < 10", None),
            ("4.1.3", None),
            ("< 5", None),
            ("=> 5", None),
            ("5.x", None),
            ("1.2.3.4", None),
            ("main", None),
            ("5,", None),
            ("> 4294967295", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(
                last_allowed(constraint, &[5, 6, 7]),
                expected,
                "{constraint}"
            );
        }
    }

    #[test]
    fn tags_have_a_major_version() {
        for (reference, expected) in [
            ("v5.12.1", Some(5)),
            ("5.12.1", Some(5)),
            ("v6", Some(6)),
            ("tags/v5.12.1", Some(5)),
            ("refs/tags/0.58.1", Some(0)),
            ("v7.0.0-rc1", Some(7)),
            ("main", None),
            ("refs/heads/main", None),
            ("v", None),
            ("8d25f4e", None),
            ("12345678", None),
            ("", None),
        ] {
            assert_eq!(of_tag(reference), expected, "{reference}");
        }
    }
}
