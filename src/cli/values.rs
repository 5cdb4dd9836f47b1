//! Parsing of single command-line values.

use std::collections::BTreeSet;

use http::Uri;

use crate::{
    convert::Denied,
    diagnostic::{Reason, Severity},
    settings::{
        Identity, NEWEST_KUBERNETES_MINOR, OLDEST_KUBERNETES_MINOR, is_account_id, is_duration,
        is_gpu_resource, is_security_group, parse_credential_spec, parse_device, parse_fsx_host,
        parse_identity,
    },
    source::parse_fill,
    validate::Queue,
};

/// Declares a command-line enum and the value for each variant.
macro_rules! values {
    ($($name:ident => $target:ty { $($variant:ident => $value:expr,)* })*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
            pub(super) enum $name { $($variant,)* }

            impl From<$name> for $target {
                fn from(argument: $name) -> Self {
                    match argument { $($name::$variant => $value,)* }
                }
            }
        )*
    };
}

pub(super) use values;

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(super) fn fill(text: &str) -> Result<(String, String), String> {
    parse_fill(text).ok_or_else(|| "expected NAME=VALUE".to_owned())
}

pub(super) fn kubernetes_minor(text: &str) -> Result<u32, String> {
    let version = text.trim_start_matches('v');
    let minor = version.strip_prefix("1.").unwrap_or(version);
    minor
        .split('.')
        .next()
        .and_then(|minor| minor.parse().ok())
        .filter(|minor| (OLDEST_KUBERNETES_MINOR..=NEWEST_KUBERNETES_MINOR).contains(minor))
        .ok_or_else(|| {
            format!(
                "supported versions: 1.{OLDEST_KUBERNETES_MINOR} to 1.{NEWEST_KUBERNETES_MINOR}"
            )
        })
}

pub(super) fn namespace(text: &str) -> Result<String, String> {
    let fits = crate::translate::kname(text, crate::translate::LABEL_LENGTH) == text;
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a namespace consists of lowercase letters, digits and -".to_owned())
    }
}

/// Reads the name of an overlay, which is a folder.
pub(super) fn overlay(text: &str) -> Result<String, String> {
    let mut bytes = text.bytes();
    let fits = text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("an overlay is named by letters, digits, - and _, such as prod".to_owned())
    }
}

pub(super) fn endpoint_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let authority = url.authority().map_or("", |authority| authority.as_str());
    if is_web && !authority.contains('@') && url.query().is_none() {
        Ok(url)
    } else {
        Err("expected http://HOST or https://HOST, with or without a port and a path".to_owned())
    }
}

pub(super) fn region(text: &str) -> Result<String, String> {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if text.split('-').count() > 2 && text.split('-').all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("expected a region such as eu-west-1".to_owned())
    }
}

pub(super) fn role_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, role]
            if !partition.is_empty() && is_account_id(account) && role.starts_with("role/") =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected an ARN such as arn:aws:iam::123456789012:role/metrics".to_owned()),
    }
}

pub(super) fn event_queue(text: &str) -> Result<Queue, String> {
    Queue::of_arn(text).ok_or_else(|| {
        "expected an ARN such as arn:aws:sqs:eu-west-1:123456789012:events".to_owned()
    })
}

pub(super) fn account_id(text: &str) -> Result<String, String> {
    if is_account_id(text) {
        Ok(text.to_owned())
    } else {
        Err("an account ID has 12 digits".to_owned())
    }
}

pub(super) fn security_group(text: &str) -> Result<String, String> {
    if is_security_group(text) {
        Ok(text.to_owned())
    } else {
        Err("expected an ID such as sg-0123456789abcdef0".to_owned())
    }
}

pub(super) fn identity(text: &str) -> Result<(String, Identity), String> {
    let expected =
        "expected NAME=UID[:GID] such as nginx=101:101, or :NAME=GID for a group; root is always 0";
    parse_identity(text).ok_or_else(|| expected.to_owned())
}

pub(super) fn gpu_resource(text: &str) -> Result<String, String> {
    if is_gpu_resource(text) {
        Ok(text.to_owned())
    } else {
        Err("expected a resource such as nvidia.com/gpu.shared".to_owned())
    }
}

pub(super) fn device(text: &str) -> Result<(String, String), String> {
    let expected = "expected HOSTPATH=RESOURCE such as /dev/fuse=example.com/fuse";
    parse_device(text).ok_or_else(|| expected.to_owned())
}

pub(super) fn credential_spec(text: &str) -> Result<(String, String), String> {
    let expected = "expected ARN=NAME such as arn:aws:s3:::specs/web.json=web";
    parse_credential_spec(text).ok_or_else(|| expected.to_owned())
}

pub(super) fn fsx_host(text: &str) -> Result<(String, String), String> {
    let expected =
        "expected FSID=DNSNAME such as fs-0123456789abcdef0=amznfsxabcdefgh.corp.example.com";
    parse_fsx_host(text).ok_or_else(|| expected.to_owned())
}

pub(super) fn duration(text: &str) -> Result<String, String> {
    if is_duration(text) {
        Ok(text.to_owned())
    } else {
        Err("expected a number and s, m or h, such as 5m".to_owned())
    }
}

/// Parses a time such as `90s`, `5m` or `2h` into seconds.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let read = || {
        let (last, unit) = text.char_indices().next_back()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return None,
        };
        let number: u32 = text.get(..last)?.parse().ok()?;
        Some(i64::from(number) * factor)
    };
    read().ok_or_else(|| "expected a number and s, m or h, such as 5m".to_owned())
}

/// The warnings that reject a document.
pub(super) fn denied(text: &str) -> Result<Denied, String> {
    if text == "all" {
        return Ok(Denied::AllBut(BTreeSet::new()));
    }
    let reasons = text.split(',').map(warning);
    Ok(Denied::Reasons(reasons.collect::<Result<_, _>>()?))
}

/// The reason of a warning.
pub(super) fn warning(text: &str) -> Result<Reason, String> {
    let reason = text.parse::<Reason>().map_err(|error| error.to_string())?;
    match reason.severity() {
        Severity::Note => Err(format!("{reason} is a note, not a warning")),
        _ => Ok(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("4294967295h"), Ok(15_461_882_262_000));
        for text in ["", "m", "5", "-5m", "5 m", "5ü", "99999999999s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_read_in_every_spelling() {
        for text in ["1.36", "36", "v1.36.3", "1.36.0"] {
            assert_eq!(kubernetes_minor(text), Ok(36), "{text}");
        }
        for text in ["1.32", "1.38", "2.0", "latest", ""] {
            assert!(kubernetes_minor(text).is_err(), "{text}");
        }
    }
}
