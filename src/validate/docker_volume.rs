//! Volumes of Docker's `local` driver.

use std::collections::BTreeMap;

use super::{Scope, VolumeSource, tmpfs::is_default};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Validates the `dockerVolumeConfiguration` at `path`.
pub(super) fn validate_docker_volume(
    raw: &ecs::DockerVolumeConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> VolumeSource {
    let ecs::DockerVolumeConfiguration {
        scope: lifetime,
        autoprovision,
        driver,
        driver_opts,
        // No object has them; the reader reports that.
        labels: _,
    } = raw;
    if scope.fargate {
        sink.report(path.clone(), Message::FargateDockerVolume);
    }
    let driver = driver.as_deref().unwrap_or("local");
    if driver != "local" {
        let value = driver.to_owned();
        let path = path.field("driver");
        sink.report(path, Message::DockerVolumeDriverUnsupported { value });
        return VolumeSource::Empty;
    }
    let shared = lifetime.as_deref() == Some("shared");
    let autoprovision = autoprovision.unwrap_or(false);
    match read_options(driver_opts) {
        Ok(Some(VolumeSource::Memory { .. })) if shared => {
            let value = "shared".to_owned();
            let allowed = "a tmpfs is in the memory of one pod, so its scope is task".to_owned();
            sink.report(
                path.field("scope"),
                Message::InvalidValue { value, allowed },
            );
            VolumeSource::Empty
        }
        Ok(Some(source)) => source,
        Ok(None) if shared => VolumeSource::NodeDirectory { autoprovision },
        Ok(None) => VolumeSource::Empty,
        Err(keys) => {
            let path = path.field("driverOpts");
            sink.report(path, Message::DockerVolumeOptionsUnsupported { keys });
            VolumeSource::Empty
        }
    }
}

/// Returns what the options of the `local` driver mount, as `mount -t type -o o device` would; `None` without options.
/// The error contains the options that cannot be translated.
fn read_options(options: &BTreeMap<String, String>) -> Result<Option<VolumeSource>, String> {
    if options.is_empty() {
        return Ok(None);
    }
    let unknown: Vec<_> = options
        .keys()
        .filter(|key| !matches!(key.as_str(), "type" | "o" | "device"))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(unknown.join(", "));
    }
    let option = |key: &str| options.get(key).map_or("", String::as_str);
    let mount_options = option("o").split(',').filter(|option| !option.is_empty());
    match option("type") {
        "nfs" | "nfs4" => nfs(mount_options, option("device")).map(Some),
        "tmpfs" => Ok(Some(tmpfs(mount_options))),
        "none" | "" => bind(mount_options, option("device")).map(Some),
        other => Err(format!("type={other}")),
    }
}

fn nfs<'a>(options: impl Iterator<Item = &'a str>, device: &str) -> Result<VolumeSource, String> {
    let mut server = None;
    let mut read_only = false;
    let mut other_options = Vec::new();
    for option in options {
        match option.split_once('=') {
            Some(("addr", address)) if !address.is_empty() => server = Some(address),
            None if option == "ro" => read_only = true,
            None if option == "rw" => read_only = false,
            _ => other_options.push(option.to_owned()),
        }
    }
    let server = server.ok_or("o without addr")?;
    let path = device
        .strip_prefix(server)
        .unwrap_or(device)
        .strip_prefix(':')
        .filter(|path| path.starts_with('/'))
        .ok_or_else(|| format!("device={device}"))?;
    Ok(VolumeSource::Nfs {
        server: server.to_owned(),
        path: path.to_owned(),
        read_only,
        other_options,
    })
}

/// Returns a bind mount of a directory of the node.
fn bind<'a>(options: impl Iterator<Item = &'a str>, device: &str) -> Result<VolumeSource, String> {
    let (bind, other): (Vec<_>, Vec<_>) = options
        .filter(|option| *option != "rw")
        .partition(|option| matches!(*option, "bind" | "rbind"));
    if bind.is_empty() {
        return Err("type other than nfs and tmpfs without o=bind".to_owned());
    }
    if !other.is_empty() {
        return Err(format!("o={}", other.join(",")));
    }
    if !device.starts_with('/') || device.split('/').any(|part| part == "..") {
        return Err(format!("device={device}"));
    }
    Ok(VolumeSource::HostPath {
        path: device.to_owned(),
    })
}

fn tmpfs<'a>(options: impl Iterator<Item = &'a str>) -> VolumeSource {
    let mut size = None;
    let mut other_options = Vec::new();
    for option in options {
        match option.split_once('=') {
            Some(("size", text)) if bytes(text).is_some() => size = bytes(text),
            _ if is_default(option) => {}
            _ => other_options.push(option.to_owned()),
        }
    }
    VolumeSource::Memory {
        size,
        other_options,
    }
}

/// Parses a size for tmpfs: bytes, or with one of the binary suffixes k, m and g
/// (<https://docs.kernel.org/filesystems/tmpfs.html>).
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (end, 'k' | 'K') => (text.get(..end)?, 1 << 10),
        (end, 'm' | 'M') => (text.get(..end)?, 1 << 20),
        (end, 'g' | 'G') => (text.get(..end)?, 1 << 30),
        _ => (text, 1),
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0)?
        .checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_local_driver_are_mounts() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let nfs = |server: &str, path: &str, read_only, other: &[&str]| {
            Ok(Some(VolumeSource::Nfs {
                server: server.to_owned(),
                path: path.to_owned(),
                read_only,
                other_options: texts(other),
            }))
        };
        let memory = |size, other: &[&str]| {
            Ok(Some(VolumeSource::Memory {
                size,
                other_options: texts(other),
            }))
        };
        let bind = |path: &str| {
            Ok(Some(VolumeSource::HostPath {
                path: path.to_owned(),
            }))
        };
        let unsupported = |keys: &str| Err(keys.to_owned());
        let table: &[(&[(&str, &str)], _)] = &[
            (&[], Ok(None)),
            (
                &[
                    ("type", "nfs"),
                    ("o", "addr=10.0.0.5,rw"),
                    ("device", ":/data"),
                ],
                nfs("10.0.0.5", "/data", false, &[]),
            ),
            (
                &[
                    ("type", "nfs4"),
                    ("o", "addr=files,ro"),
                    ("device", "files:/"),
                ],
                nfs("files", "/", true, &[]),
            ),
            (&[("type", "tmpfs"), ("device", "tmpfs")], memory(None, &[])),
            (
                &[("type", "tmpfs"), ("o", "size=64m")],
                memory(Some(64 << 20), &[]),
            ),
            (
                &[("type", "tmpfs"), ("o", "size=1000")],
                memory(Some(1000), &[]),
            ),
            (
                &[("type", "tmpfs"), ("o", "size=50%,uid=1000")],
                memory(None, &["size=50%", "uid=1000"]),
            ),
            (
                &[
                    ("type", "nfs"),
                    ("o", "addr=h,nfsvers=4.1,hard"),
                    ("device", ":/"),
                ],
                nfs("h", "/", false, &["nfsvers=4.1", "hard"]),
            ),
            (
                &[("type", "nfs"), ("o", "rw"), ("device", ":/")],
                unsupported("o without addr"),
            ),
            (
                &[("type", "nfs"), ("o", "addr=h"), ("device", "data")],
                unsupported("device=data"),
            ),
            (
                &[("type", "none"), ("o", "bind,rw"), ("device", "/data")],
                bind("/data"),
            ),
            (&[("o", "bind"), ("device", "/data")], bind("/data")),
            (
                &[("type", "none"), ("o", "bind,ro"), ("device", "/data")],
                unsupported("o=ro"),
            ),
            (
                &[("o", "bind"), ("device", "/data/../etc")],
                unsupported("device=/data/../etc"),
            ),
            (
                &[("device", "/dev/xvdf")],
                unsupported("type other than nfs and tmpfs without o=bind"),
            ),
            (
                &[("type", "ext4"), ("device", "/dev/xvdf")],
                unsupported("type=ext4"),
            ),
            (&[("size", "1"), ("iops", "2")], unsupported("iops, size")),
        ];
        for (options, expected) in table {
            let options = options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(read_options(&options), *expected, "{options:?}");
        }
    }
}
