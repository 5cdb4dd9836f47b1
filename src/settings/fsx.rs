//! The names of file systems in the network.

use super::is_subdomain;

/// Parses `FSID=DNSNAME`, such as `fs-0123456789abcdef0=amznfsxabcdefgh.corp.example.com`.
#[must_use]
pub fn parse_fsx_host(text: &str) -> Option<(String, String)> {
    let (id, host) = text.split_once('=')?;
    let plain = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_id = id.strip_prefix("fs-").is_some_and(plain);
    (is_id && is_subdomain(&host.to_ascii_lowercase())).then(|| (id.to_owned(), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_id_and_a_name_in_dns() {
        for host in [
            "amznfsxabcdefgh.corp.example.com",
            "files.Corp.example.com",
            "10.0.0.7",
        ] {
            let expected = Some(("fs-0123abcd".to_owned(), host.to_owned()));
            assert_eq!(parse_fsx_host(&format!("fs-0123abcd={host}")), expected);
        }
        for text in [
            "",
            "fs-0123abcd",
            "fs-0123abcd=",
            "fs-=files.example.com",
            "0123abcd=files.example.com",
            "fs-0123/a=files.example.com",
            r"fs-0123abcd=\\files.example.com\share",
            "fs-0123abcd=files.example.com/share",
            "fs-0123abcd=files..com",
        ] {
            assert_eq!(parse_fsx_host(text), None, "{text}");
        }
    }
}
